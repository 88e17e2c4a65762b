"""Reads the tables of the documents."""

import re

from tests.docs.pages import PAGES


def rows(title: str) -> list[list[str]]:
    """The rows of the one table of all pages whose first column has the title."""
    tables = [
        table.splitlines()
        for page in PAGES
        for table in re.findall(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE)
        if table.startswith(f"| {title} |")
    ]
    assert len(tables) == 1, f"{len(tables)} tables have the title {title!r}, must be one"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in tables[0][2:]]


def spans(cell: str) -> list[str]:
    """What a cell has in code font, without quotation marks."""
    return [span.strip('"') for span in re.findall(r"`([^`]+)`", cell)]


def first_spans(title: str) -> list[str]:
    """What names each row of a table: the first code span of its first cell."""
    return [spans(row[0])[0] for row in rows(title)]
