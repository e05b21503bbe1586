"""What tests of the documentation read from a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"(?<!!)\[[^]\[]*\]\(([^)\s]+)\)")


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that are in no block of code."""
    in_code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, line


def headings(page: Path) -> list[str]:
    return [line for _, line in prose(page) if re.match("#+ ", line)]


def anchors(page: Path) -> set[str]:
    """Return what a link to a part of the page may say, by GitHub's rule."""
    titles = [heading.lstrip("# ").lower() for heading in headings(page)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def tables(page: Path) -> dict[str, list[list[str]]]:
    """Return the rows of the tables below each heading, without their heads."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for _, line in prose(page):
        if re.match("#+ ", line):
            rows = found.setdefault(line.lstrip("# "), [])
        elif re.match(r"\|[-|]+$", line):
            rows.pop()
        elif line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found
