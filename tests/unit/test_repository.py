"""Habits of the whole repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted([*ROOT.glob("playbooks/*.yml"), *ROOT.glob("*.yml")])
DOORS = ("site.yml", "deploy_dags.yml", "sync_meta.yml")
# Where packages come from is the business of the machine that runs this, never of a file in here.
REGISTRIES = re.compile(r"\b(pypi|files\.pythonhosted|registry\.npmjs|deb\.debian|archive\.ubuntu)\.org\b|\bghcr\.io\b")
# Folders of the place where this was written, which no user has.
ELSEWHERE = re.compile(r"\.\./shar" + r"ed\b|/work/(shar" + r"ed|main)\b|/tmp/wo" + r"rk\b")
TEXTS = {".py", ".yml", ".yaml", ".md", ".cfg", ".toml", ".j2", ".sh", ".txt", ".in", ".lock", ""}


def tracked() -> list[Path]:
    """Return the files of the repository, new ones included, ignored ones not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run([*command, "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Return file:line of every text that a pattern finds."""
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path.suffix in TEXTS
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_file_points_outside_the_repository() -> None:
    assert lines_with(ELSEWHERE) == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_playbooks_are_thin(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40
    for play in yaml.safe_load(path.read_text()):
        assert play.get("name"), "a play has no name"
        assert play.get("hosts") != "localhost", "with a limit such a play would silently not run"
        assert "vars" not in play or "import_playbook" in play
        blocks = [{"block": play.get("tasks", [])}]
        while blocks:
            block = blocks.pop()
            for task in [task for part in ("block", "rescue", "always") for task in block.get(part, [])]:
                if "block" in task:
                    blocks.append(task)
                else:
                    assert {"ansible.builtin.import_role", "ansible.builtin.include_role"} & set(task), task


@pytest.mark.parametrize("path", [path for path in PLAYBOOKS if path.parent != ROOT], ids=lambda path: path.name)
def test_every_playbook_checks_the_inventory_first(path: Path) -> None:
    """A playbook that others import may leave that to them, and says so in its first line."""
    first = yaml.safe_load(path.read_text())[0]
    begins = str(first.get("import_playbook", "")).startswith("preflight")
    assert begins or path.stem == "preflight_inventory" or "imported" in path.read_text().splitlines()[0].lower()


@pytest.mark.parametrize("door", [name for name in DOORS if (ROOT / name).exists()])
def test_doors_have_three_lines(door: str) -> None:
    assert len((ROOT / door).read_text().splitlines()) <= 3


def test_only_rooms_with_content() -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked() if path.name == ".gitkeep"] == []
