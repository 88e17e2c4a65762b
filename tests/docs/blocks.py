"""Runs every code block of the documents, by Sybil: a fence is an example, and so a test.

Shell commands have checks of their own in `commands.py`, and a query has to find rows. What any
other block proves stands behind it, in a comment that does not show:

    <!-- check
    assert post(app, "/events").status == 200
    -->

It sees the block's names, those of `checks.py`, `server`, `printed`, and as `source` and
`preceding` the text of the block and of the one before.

Sybil's own invisible blocks would be examples of their own, and share their page's names. Here a
block and its check are one example with names of its own: each runs alone, in any order. Sybil can
skip examples; this cannot. A block that nothing runs or nothing proves fails.
"""

import itertools
import logging
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, FencedCodeBlockLexer

from tests.docs.pages import PAGES, Block
from tests.processes import PYTHON, post, process, read_until
from tests.spools import query
from tests.support import CAPTURES, ROOT, capture

_fences = FencedCodeBlockLexer("[^\n]*")
_checks = DirectiveInHTMLCommentLexer("check")


def parse(document: Document) -> Iterator[Region]:
    """Find the blocks of a page, each with its check."""
    blocks: list[Block] = []
    text = document.text
    checks = {
        # Blank lines before it, so that a failure names its line of the page.
        region.start: "\n" * (text.count("\n", 0, region.start) + 1) + region.lexemes["source"]
        for region in _checks(document)
    }
    for region in _fences(document):
        check = checks.pop(len(text) - len(text[region.end :].lstrip()), "")
        line = text.count("\n", 0, region.start) + 1
        found = region.lexemes["language"], region.lexemes["source"]
        blocks.append(Block(document.path, line, *found, check, blocks.copy()))
        yield Region(region.start, region.end, blocks[-1], evaluate)
    assert not checks, f"{document.path}: a check stands behind no block: {checks}"


def evaluate(example: Example) -> None:
    """Run a block, then its check."""
    from tests.docs import checks

    block, stage = example.parsed, example.namespace["stage"]
    assert block.language in LANGUAGES, f"nothing runs blocks of the language {block.language!r}"
    names = LANGUAGES[block.language](block, stage)
    texts = {"source": block.source, "preceding": block.before[-1].source if block.before else ""}
    scope = {**vars(checks), **stage, **texts, **names}
    exec(compile(block.check, block.path, "exec"), scope)  # noqa: S102  # our own documents


_patterns = [str(page.relative_to(ROOT)) for page in PAGES]
pytest_collect_file = Sybil(
    [parse], patterns=_patterns, path=str(ROOT), fixtures=["stage"]
).pytest()


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A running `unisights serve` that has received every recorded body."""
    db = tmp_path_factory.mktemp("serve") / "unisights.sqlite3"
    with process([PYTHON, "-m", "unisights", "serve", "--port", "0"], cwd=db.parent) as child:
        banner = read_until(child, "Stop:")
        found = re.search(r"http://127\.0\.0\.1:(\d+)", banner)
        assert found is not None
        send, ask = partial(post, int(found[1])), partial(query, db)
        for name in CAPTURES:
            assert send(capture(name))[0] == 200
        yield SimpleNamespace(url=found[0], db=db, banner=banner, post=send, query=ask)


@pytest.fixture
def stage(
    running_server: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> dict[str, Any]:
    """What blocks and checks may use, in an empty working directory.

    Afterwards, what Litestar does to the root logger is undone.
    """
    from tests.docs import checks

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    monkeypatch.setitem(sys.modules, "pymongo", checks.pymongo)
    return {"server": running_server, "printed": lambda: capsys.readouterr().out}


# By language: each runs a block and returns the names that it makes.

Run = Callable[[Block, dict[str, Any]], dict[str, Any]]


def _python(block: Block, _stage: dict[str, Any]) -> dict[str, Any]:
    from tests.docs.checks import run

    assert block.check or "\nassert " in block.source, "nothing is checked"
    return run("\n" * block.line + block.source, block.path)


def _shown(block: Block, _stage: dict[str, Any]) -> dict[str, Any]:
    assert block.check, "nothing is checked"
    return {}


def _sql(block: Block, stage: dict[str, Any]) -> dict[str, Any]:
    assert stage["server"].query(block.source), "nothing is found in the recorded bodies"
    return {}


def _sh(block: Block, stage: dict[str, Any]) -> dict[str, Any]:
    from tests.docs.commands import COMMANDS

    words = shlex.shlex(block.source, posix=True, punctuation_chars="\n")
    words.whitespace, words.whitespace_split, words.commenters = " \t", True, ""
    for is_end, group in itertools.groupby(words, lambda word: not word.strip("\n")):
        if is_end:
            continue
        name, *arguments = group
        assert name in COMMANDS, f"it is not known how to check {name!r}"
        COMMANDS[name](arguments, block, stage["server"])
    return {}


LANGUAGES: dict[str, Run] = {
    "python": _python,
    "sh": _sh,
    "sql": _sql,
    **dict.fromkeys(("html", "json", "text"), _shown),
}
