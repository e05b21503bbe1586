"""Which files `ss FILE` means, and the command it becomes."""

import json
from pathlib import Path

import pytest

from airflow_ops.ss import SsError, current_folder, locate, playbook, roots


@pytest.fixture
def trees(tmp_path: Path) -> list[Path]:
    source, live = tmp_path / "source", tmp_path / "home/dags"
    for root in (source, tmp_path / "home/dag_releases/20260101T000000Z-000000000000"):
        (root / "PROC_X/PKG Y").mkdir(parents=True)
        (root / "PROC_X/PKG Y/PR 가's.py").write_text("")
        (root / "top.py").write_text("")
    live.symlink_to(tmp_path / "home/dag_releases/20260101T000000Z-000000000000")
    return [source, live]


@pytest.mark.parametrize("number", [0, 1], ids=["in the sources", "in the live folder"])
@pytest.mark.parametrize(
    ("here", "names", "files"),
    [
        ("", ["top.py"], ["top.py"]),
        ("PROC_X/PKG Y", ["PR 가's.py", "../../top.py"], ["PROC_X/PKG Y/PR 가's.py", "top.py"]),
        ("PROC_X", ["./PKG Y/PR 가's.py"], ["PROC_X/PKG Y/PR 가's.py"]),
    ],
)
def test_files_are_named_relative_to_the_current_folder(
    trees: list[Path], number: int, here: str, names: list[str], files: list[str]
) -> None:
    found = locate(names, trees[number] / here, trees)
    assert (found.tree, found.files) == (trees[number], files)


@pytest.mark.parametrize("number", [0, 1], ids=["in the sources", "in the live folder"])
def test_files_may_be_named_in_full(trees: list[Path], number: int) -> None:
    for named in (trees[number], trees[number].resolve()):
        assert locate([str(named / "top.py"), "..odd.py"], trees[number], trees, must_exist=False).files == [
            "top.py", "..odd.py",
        ]  # fmt: skip
    assert locate(["../top.py"], trees[number] / "PROC_X", trees).files == ["top.py"]


def test_a_shell_that_still_stands_in_the_release_before_is_told_so(
    trees: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trees[1])
    assert current_folder({"PWD": str(trees[1])}) == trees[1]
    newer = tmp_path / "home/dag_releases/20260102T000000Z-000000000000"
    newer.mkdir()
    trees[1].unlink()
    trees[1].symlink_to(newer)
    with pytest.raises(SsError, match="is another release since you entered it"):
        current_folder({"PWD": str(trees[1])})


def test_the_release_behind_the_link_is_the_live_folder(trees: list[Path]) -> None:
    assert locate(["top.py"], trees[1].resolve(), trees).tree == trees[1]


@pytest.mark.parametrize(
    ("here", "name", "sentence"),
    [
        ("", "../x.py", "is outside"),
        ("", "/etc/passwd", "is outside"),
        ("", "none.py", "is no file"),
        ("..", "x", "is not below"),
    ],
)
def test_what_is_not_part_of_a_tree_is_refused(trees: list[Path], here: str, name: str, sentence: str) -> None:
    with pytest.raises(SsError, match=sentence):
        locate([name], (trees[0] / here).resolve(), trees)


def test_a_file_that_is_to_be_removed_need_not_exist(trees: list[Path]) -> None:
    assert locate(["gone.py"], trees[0], trees, must_exist=False).files == ["gone.py"]


def test_names_travel_as_json(trees: list[Path]) -> None:
    command = playbook(locate(["PROC_X/PKG Y/PR 가's.py"], trees[0], trees), remove=False, check=True)
    assert json.loads(command[-1]) == {
        "dag_release_files": ["PROC_X/PKG Y/PR 가's.py"],
        "dag_release_source": str(trees[0]),
    }
    assert "--check" in command


def test_where_it_may_be_typed() -> None:
    assert roots({"DAG_SOURCE": "/s", "AIRFLOW_DAGS_FOLDER": "/h/dags"}) == [Path("/s"), Path("/h/dags")]
    assert roots({})[0].name == "dags"
