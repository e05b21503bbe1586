"""What is refused before any host is touched."""

import os
import zipfile
from pathlib import Path

import pytest

from airflow_ops.dag_release.checks import Findings, files_as_folders, findings, link_findings, unreadable
from airflow_ops.dag_release.plan import Source
from airflow_ops.dag_release.tree import links, origins

DAG = "from airflow import DAG\n"
PYTHON_2 = "import sys\nprint 'rows', len(sys.argv)\n"


def found(root: Path, **options: object) -> Findings:
    source = Source(root, **options)  # type: ignore[arg-type]
    return findings(origins(source), source)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param({"a.py": f"{DAG}def f(:\n"}, "a.py:2 does not compile: invalid syntax", id="syntax"),
        pytest.param({"a.py": f"{DAG}x = '\\0'\0"}, "a.py", id="null byte"),
        pytest.param(
            {"a.py": f"{DAG}import p.b", "p/b.py": PYTHON_2}, "p/b.py:2 does not compile", id="module of a DAG"
        ),
        pytest.param(
            {"a.py": f"{DAG}def f():\n  from p import b", "p/b.py": PYTHON_2, ".airflowignore": "^p/"},
            "p/b.py:2 does not compile",
            id="module that .airflowignore names, imported by a task",
        ),
        pytest.param({"A.py": "", "a.py": ""}, "A.py and a.py differ only by case or Unicode form", id="case"),
        pytest.param(
            {"P/x.py": "", "p/y.py": ""}, "P and p differ only by case or Unicode form", id="case of a folder"
        ),
        pytest.param({"가.py": "", "\u1100\u1161.py": ""}, "differ only by case or Unicode form", id="unicode form"),
        pytest.param({"a\nb.py": ""}, "'a\\nb.py' has a control character in its name", id="newline"),
        pytest.param({"\udcff.py": ""}, "'\\udcff.py' is no UTF-8", id="bytes"),
        pytest.param({".airflowignore": "a\n*.py\n"}, ".airflowignore:2 is no regexp", id="airflowignore"),
    ],
)
def test_a_bad_tree_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    tree = found(write(tmp_path, files))
    (only,) = tree.all
    assert sentence in only
    assert tree.warnings == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param({"c.json": '{"limit": {{ params.limit }}}'}, "c.json is no JSON: ", id="template"),
        pytest.param({"c.json": '{"id": 1}\n{"id": 2}\n'}, "c.json is no JSON: Extra data", id="lines"),
        pytest.param({"c.json": "[" * 10**6}, "c.json is no JSON", id="deep json"),
        pytest.param({"spark/a.py": PYTHON_2}, "spark/a.py:2 does not compile", id="Python 2"),
        pytest.param({"a.py": DAG + PYTHON_2, ".airflowignore": "^a"}, "a.py:3 does not compile", id="ignored"),
    ],
)
def test_what_airflow_does_not_load_is_a_warning(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    tree = found(write(tmp_path, files))
    (only,) = tree.warnings
    assert sentence in only
    assert tree.all == []


def test_without_safe_mode_airflow_loads_every_module(tmp_path: Path) -> None:
    assert found(write(tmp_path, {"spark/a.py": PYTHON_2}), safe_mode=False).wrong.keys() == {"spark/a.py"}


def test_who_imports_a_single_file_is_looked_up_in_the_source(tmp_path: Path) -> None:
    write(tmp_path, {"dag.py": f"{DAG}import used", "used.py": PYTHON_2, "alone.py": PYTHON_2})
    source = Source(tmp_path, files=["used.py", "alone.py"])
    tree = findings({name: tmp_path / name for name in source.files}, source)
    assert ([*tree.wrong], len(tree.warnings)) == (["used.py"], 1)


BAD = {
    "a.py": f"{DAG}def f(:",
    "b.json": "{",
    "d.bin": "version https://git-lfs.github.com/spec/v1\n",
    ".airflowignore": "(",
    "C.sh": "",
    "c.sh": "",
}


@pytest.mark.parametrize(
    ("check", "gone"),
    [("python", "a.py"), ("lfs", "d.bin"), ("json", "b.json"), ("airflowignore", ".airflowignore"), ("names", "C.sh")],
)
def test_each_check_has_its_own_switch(tmp_path: Path, check: str, gone: str) -> None:
    def said(skip: frozenset[str]) -> str:
        tree = found(tmp_path, skip_checks=skip)
        return "\n".join(tree.all + tree.warnings)

    write(tmp_path, BAD)
    everything = said(frozenset()).splitlines()
    assert len(everything) == 5
    assert said(frozenset([check])).splitlines() == [line for line in everything if not line.startswith(gone)]


def test_patterns_name_files_whose_content_is_not_checked(tmp_path: Path) -> None:
    write(tmp_path, {"tpl/b.json": "{", "d/tpl/c.json": "{", "e.json": "{", "a.py": f"{DAG}def f(:"})
    tree = found(tmp_path, check_ignore=("/tpl/", "*.py", "!e.json"))
    assert [text.split()[0] for text in tree.all + tree.warnings] == ["d/tpl/c.json", "e.json"]


def test_archives_that_airflow_loads(tmp_path: Path) -> None:
    bad = {"pr_bad.py": f"{DAG}def f(:", "lib/x.py": "def f(:"}
    for name, members in {"bad.zip": bad, "sheet.xlsx": {"xl/a.xml": "airflow dag"}, "lib.jar": {"a/b.py": ""}}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
    assert found(tmp_path).wrong == {"bad.zip": "bad.zip/pr_bad.py:2 does not compile: invalid syntax"}
    damaged = bytearray((tmp_path / "bad.zip").read_bytes())
    damaged[10:40] = bytes(30)
    (tmp_path / "bad.zip").write_bytes(damaged)
    assert "bad.zip is a damaged archive, from which Airflow would load DAGs" in found(tmp_path).wrong["bad.zip"]
    write(tmp_path, {".airflowignore": "bad"})
    assert found(tmp_path).wrong == {}


@pytest.mark.parametrize(
    "name", ["with space.py", "it's.sh", 'double "quotes".json', "한글.py", "\u1112\u1161\u11ab.py", "$HOME;x"]
)
def test_odd_names_are_good(tmp_path: Path, name: str) -> None:
    assert found(write(tmp_path, {name: "1"})) == Findings()


def test_links_are_told_by_what_travels(tmp_path: Path) -> None:
    files = {"kept/y.py": "", "scratch/x.py": "", ".dagreleaseignore": "/scratch/\n", ".airflowignore": "^hidden"}
    write(tmp_path, files)
    targets = {"good.py": "kept/y.py", "bad.py": "scratch/x.py", "loop": "loop", "again": "kept", "hidden": "kept"}
    for name, target in targets.items():
        (tmp_path / name).symlink_to(target)
    source = Source(tmp_path)
    tree = origins(source)
    wrong = link_findings(tree, links(tree), source)
    assert wrong.keys() == {"bad.py", "loop", "again"}
    assert wrong["bad.py"] == "bad.py is a link that leads nowhere in the release (to scratch/x.py)"
    assert link_findings(tree, links(tree), Source(tmp_path, skip_checks=frozenset(["links"]))) == {}
    assert found(tmp_path).all == []  # looping links do not stop the other checks


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path).all == ["pipe is neither a file, a folder nor a link"]


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    assert found(tmp_path, max_file_size=1 << 20).all == ["big has 2 MiB, the limit is 1 (dag_release_max_file_size)"]
    assert found(tmp_path, max_file_size=2 << 20).all == []


@pytest.mark.parametrize(
    ("file", "folder", "wrong"),
    [(0o640, 0o750, 0), (0o644, 0o755, 0), (0o600, 0o750, 1), (0o640, 0o700, 1), (0o600, 0o640, 2)],
)
def test_account_and_group_must_be_able_to_read(file: int, folder: int, wrong: int) -> None:
    assert len(unreadable(file, folder)) == wrong


@pytest.mark.parametrize(
    ("names", "found"),
    [
        pytest.param(["a/b.py", "a.py"], [], id="apart"),
        pytest.param(["a", "a/b.py"], ["a is a file and a folder"], id="just below"),
        pytest.param(["p/a", "p/a/b/c.py"], ["p/a is a file and a folder"], id="deep below"),
    ],
)
def test_a_file_cannot_be_a_folder_for_another(names: list[str], found: list[str]) -> None:
    assert files_as_folders(names) == found
