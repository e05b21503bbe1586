"""What the benchmark decides and prints; measuring itself needs hosts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bench import report, trees
from bench.measure import Run
from bench.results import Case, Results, load, save
from bench.ways import FIRST, NOTHING, ONE, OURS, PING, SYNCHRONIZE


def results(**seconds: list[float | None]) -> Results:
    """Return results of one file changed at 9 hosts, by way."""
    return Results({
        Case(way, ONE, 9, 600): [Run(value, 1000) for value in values]
        for way, values in seconds.items()
    })  # fmt: skip


def test_a_tree_is_the_same_each_time_compiles_and_has_no_two_files_alike(tmp_path: Path) -> None:
    for name in ("a", "b"):
        trees.make(tmp_path / name, 30)
    texts = {path.relative_to(tmp_path / "a"): path.read_text() for path in (tmp_path / "a").rglob("*.py")}
    assert len(texts) == len(set(texts.values())) == 30
    assert all((tmp_path / "b" / path).read_text() == text for path, text in texts.items())
    assert all(ast.parse(text) for text in texts.values())
    assert 30 * 3000 < sum(map(len, texts.values())) < 30 * 4000


def test_touching_changes_one_file_and_not_its_size(tmp_path: Path) -> None:
    trees.make(tmp_path, 3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    changed = trees.touch(tmp_path, 7)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    assert [path for path in before if before[path] != after[path]] == [tmp_path / changed]
    assert len(before[tmp_path / changed]) == len(after[tmp_path / changed])
    assert trees.touch(tmp_path, 8) == changed


@pytest.mark.parametrize(
    ("runs", "late"),
    [([Run(3.0, 1)], False), ([Run(None, 1)], True), ([Run(3.0, 1), Run(None, 1)], True), ([], False)],
    ids=["in time", "stopped", "stopped once", "not measured"],
)
def test_a_case_is_late_when_it_or_a_smaller_one_was_stopped(runs: list[Run], late: bool) -> None:
    found = Results({Case("copy", FIRST, 9, 600): runs} if runs else {})
    assert found.late(Case("copy", FIRST, 9, 600)) is late
    assert found.late(Case("copy", FIRST, 32, 10000)) is late
    assert not found.late(Case("copy", FIRST, 4, 600))
    assert not found.late(Case("copy", ONE, 32, 600))


def test_the_median_counts_and_a_run_with_a_look_at_the_memory_does_not() -> None:
    case = Case(OURS, ONE, 9, 600)
    found = Results({case: [Run(1.0, 10), Run(2.0, 20), Run(9.0, 30), Run(50.0, 90, memory=5 << 20)]})
    assert found.seconds(case) == 2.0
    assert found.wire(case) == 20
    assert found.memory(OURS, 9, 600) == 5 << 20


def test_results_survive_being_kept(tmp_path: Path) -> None:
    found = results(copy=[None], ping=[1.5])
    save(found, tmp_path / "sub/results.json")
    assert load(tmp_path / "sub/results.json") == found
    assert load(tmp_path / "nothing.json") == Results()


def test_the_table_has_ratios_to_ours_and_says_what_was_stopped() -> None:
    found = results(synchronize=[3.0], copy=[None])
    found.runs[Case(OURS, ONE, 9, 600)] = [Run(2.0, 5_000_000)]
    lines = report.table(found, 9, 600, 120).splitlines()
    assert "### 9 hosts, 600 files" in lines
    assert "| deploy_dags.yml | - | 2.0 s | - | - / 5.00 / - | - |" in lines
    assert "| synchronize | - | 3.0 s (1.50×) | - | - / 0.00 / - | - |" in lines
    assert "| copy | - | > 120 s | - | - / - / - | - |" in lines


@pytest.mark.parametrize(
    ("ours", "synchronize", "word"), [(3.0, 3.0, "met"), (3.1, 3.0, "**missed**")], ids=["equal", "slower"]
)
def test_the_bar_is_synchronize_with_one_file_changed(ours: float, synchronize: float, word: str) -> None:
    found = results(synchronize=[synchronize])
    found.runs[Case(OURS, ONE, 9, 600)] = [Run(ours, 1)]
    (line,) = report.bars(found)
    assert line.startswith(f"- {word} (bar) 9 hosts, 600 files: one file changed, at most 1× {SYNCHRONIZE}")


@pytest.mark.parametrize(("many", "word"), [(8.0, "met"), (8.1, "**missed**")], ids=["linear", "faster"])
def test_the_cost_grows_no_faster_than_the_hosts(many: float, word: str) -> None:
    found = Results({Case(OURS, NOTHING, hosts, 600): [Run(value, 1)] for hosts, value in ((4, 1.0), (32, many))})
    (line,) = report.bars(found)
    assert line.startswith(f"- {word} (bar) 600 files, nothing changed: 4 → 32 hosts is 8×")


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    found = Results({Case(PING, NOTHING, hosts, 600): [Run(hosts / 4, 1)] for hosts in (4, 8)})
    report.plot(found, 600, tmp_path / "times.png")
    assert (tmp_path / "times.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_of_a_page_are_replaced() -> None:
    page = f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n"
    assert report.between_marks(page, "new\n") == f"before\n{report.MARKS[0]}\nnew\n{report.MARKS[1]}\nafter\n"
