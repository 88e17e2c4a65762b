"""The pages of the documents, and the code blocks that they hold."""

from dataclasses import dataclass, field

from tests.support import ROOT

PAGES = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")]
PAGES += sorted((ROOT / "docs").glob("*.md"))


@dataclass(frozen=True)
class Block:
    """A code block of a page: its text, the check behind it, the blocks before it."""

    path: str
    line: int
    language: str
    source: str
    check: str
    before: "list[Block]" = field(repr=False)
