"""The pages of documentation: links that lead somewhere, and Korean pages that are twins of the English ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.markdown import CODE, LINK, anchors, prose, tables

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout
PAGES = sorted(ROOT / name for name in LISTED.split("\0") if name and (ROOT / name).exists())
KOREAN = [page for page in PAGES if page.name.endswith(".ko.md")]
# Pages for operators; what is for people who change this repository is English.
ENGLISH_ALONE = {"architecture.md", "benchmarks.md", "testing.md"}
GLOSSARY = "용어"
ESCAPED_BAR = "\\|"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def english(page: Path) -> Path:
    return page.with_name(page.name.replace(".ko.md", ".md"))


def shape(page: Path) -> list[str]:
    """Return what a page is made of, one word for each heading, row, point of a list and block of code."""
    found = []
    for _, line in prose(page):
        if heading := re.match("#+ ", line):
            found.append(heading[0])
        elif line.startswith("|"):
            found.append(f"a row of {line.replace(ESCAPED_BAR, '').count('|') - 1}")
        elif re.match(r"\s*(-|\d+\.) ", line):
            found.append("a point")
    fences = sum(line.startswith("```") for line in page.read_text().splitlines())
    return [*found, f"{fences} fences of code"]


def links(page: Path) -> Iterator[tuple[int, str]]:
    for number, line in prose(page):
        for target in LINK.findall(CODE.sub("", line)):
            yield number, target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for number, target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(f"{name_of(page)}:{number} {target}")
    assert broken == []


def test_every_page_for_operators_has_a_korean_twin() -> None:
    pages = {page for page in PAGES if page.parent in {ROOT / "docs", ROOT / "inventories"}} | {ROOT / "README.md"}
    alone = {page for page in pages if not page.name.endswith(".ko.md") and page.name not in ENGLISH_ALONE}
    assert {english(page) for page in KOREAN} == alone


@pytest.mark.parametrize("page", KOREAN, ids=name_of)
def test_twins_have_the_same_structure(page: Path) -> None:
    assert shape(page) == shape(english(page))


@pytest.mark.parametrize("page", KOREAN, ids=name_of)
def test_twins_lead_to_each_other_and_stay_in_their_language(page: Path) -> None:
    here = {target.partition("#")[0] for _, target in links(page)}
    there = {target.partition("#")[0] for _, target in links(english(page))}
    assert english(page).name in here and page.name in there
    twins = {(page.parent / target).resolve().with_suffix(".ko.md") for target in here - {english(page).name}}
    assert twins & set(KOREAN) == set(), "the page leads to an English page that has a Korean twin"


def avoided() -> tuple[set[str], set[str]]:
    """Return the Korean words of the glossary, and those that they stand for."""
    rows = tables(ROOT / "docs/manual.ko.md")[GLOSSARY]
    return {row[1] for row in rows}, {word for row in rows for word in row[3].split(", ") if word}


@pytest.mark.parametrize("page", [page for page in KOREAN if page.name != "manual.ko.md"], ids=name_of)
def test_one_thing_has_one_korean_word(page: Path) -> None:
    """A word of the glossary's last column stands nowhere, unless as part of a word that the glossary wants."""
    wanted, unwanted = avoided()
    found = []
    for number, line in prose(page):
        text = LINK.sub("", CODE.sub("", line))
        for word in sorted(wanted, key=len, reverse=True):
            text = text.replace(word, "")
        found += [
            f"{name_of(page)}:{number} {word}"
            for word in sorted(unwanted)
            if re.search(rf"(?<![A-Za-z-]){re.escape(word)}(?![A-Za-z])", text, re.IGNORECASE)
        ]
    assert found == []
