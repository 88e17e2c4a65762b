"""Links lead somewhere, the README is short, and a block that nothing proves fails."""

import re
from pathlib import Path
from typing import Any

import pytest
from sybil import Document

from tests.docs.blocks import parse
from tests.docs.pages import PAGES
from tests.support import ROOT

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name a file that exists, and in a page a heading that exists."""
    for target in re.findall(r"\]\(([^)]+)\)", _prose(page)):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            assert linked.exists(), target
            assert not anchor or anchor in _anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_exist(page: Path) -> None:
    """What a page names as a file or folder of the repository is there."""
    tops = "benchmarks|codegen|docs|examples|schema|tests|unisights"
    for path in re.findall(rf"`((?:{tops})/[^`*]*)`", _prose(page)):
        assert (ROOT / path).exists(), path


def test_the_index_names_every_page() -> None:
    """No page is hidden from who reads the index."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_the_readme_is_short() -> None:
    """The README keeps what a newcomer needs; the rest is in `docs/`."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_every_example_is_shown() -> None:
    """The documents show how each example is started in production."""
    shown = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f" {example.stem}:" in shown, example


@pytest.mark.parametrize(
    ("fence", "why"),
    [
        ("```\nsome text\n```", "nothing runs"),
        ("~~~toml\na = 1\n~~~", "nothing runs"),
        ("```python\nx = 1\n```", "nothing is checked"),
        ("```json\n{}\n```", "nothing is checked"),
        ("```sh\nmake test\ndocker run x\n```", "not known how to check 'docker'"),
        ("```sh\npip install unisights\n```", "the other package"),
    ],
)
def test_a_block_that_nothing_proves_fails(fence: str, why: str, stage: dict[str, Any]) -> None:
    """A block of another language, without a check, or with another command is an error."""
    document = Document(f"# Title\n\n{fence}\n", "page.md")
    for region in parse(document):
        document.add(region)
    (example,) = document
    example.namespace["stage"] = stage
    with pytest.raises(AssertionError, match=why):
        example.evaluate()


def test_a_check_belongs_to_a_block() -> None:
    """A check that stands behind no block would never run: it is an error."""
    with pytest.raises(AssertionError, match="behind no block"):
        list(parse(Document("Prose.\n\n<!-- check\nassert True\n-->\n", "page.md")))
