"""What is refused before any host is touched."""

import os
from pathlib import Path

import pytest

from airflow_ops.dag_release.checks import files_as_folders, findings, ignore_findings, unreadable
from airflow_ops.dag_release.plan import Source
from airflow_ops.dag_release.tree import origins


def found(root: Path, **options: object) -> list[str]:
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
        pytest.param({"a.py": "def f(:\n"}, "a.py:1 does not compile: invalid syntax", id="syntax"),
        pytest.param({"a.py": "x = '\\0'\0"}, "a.py", id="null byte"),
        pytest.param({"c.json": "{"}, "c.json does not parse: Expecting property name", id="json"),
        pytest.param({"c.json": "[" * 10**6}, "c.json does not parse", id="deep json"),
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
    (only,) = found(write(tmp_path, files))
    assert sentence in only


@pytest.mark.parametrize(
    "name", ["with space.py", "it's.sh", 'double "quotes".json', "한글.py", "\u1112\u1161\u11ab.py", "$HOME;x"]
)
def test_odd_names_are_good(tmp_path: Path, name: str) -> None:
    assert found(write(tmp_path, {name: "1"})) == []


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        pytest.param("a.py", None, id="inside"),
        pytest.param("../outside", "leaves the tree", id="leaves the tree"),
        pytest.param("/etc/passwd", "leaves the tree", id="absolute"),
        pytest.param("gone.py", "leads nowhere", id="dangling"),
    ],
)
def test_links_must_stay_inside(tmp_path: Path, target: str, sentence: str | None) -> None:
    write(tmp_path, {"tree/a.py": "", "outside": ""})
    (tmp_path / "tree/link").symlink_to(target)
    sentences = found(tmp_path / "tree")
    assert (sentence in sentences[0]) if sentence else sentences == []


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["pipe is neither a file, a folder nor a link"]


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    assert found(tmp_path, max_file_size=1 << 20) == ["big has 2 MiB, the limit is 1 (dag_release_max_file_size)"]
    assert found(tmp_path, max_file_size=2 << 20) == []


@pytest.mark.parametrize(
    ("line", "syntax", "good"),
    [
        ("PKG_.*/old", "regexp", True),
        ("# (note", "regexp", True),
        ("(", "regexp", False),
        ("*.py", "glob", True),
        ("*.py", "regexp", False),
    ],
)
def test_airflows_own_ignore_file(line: str, syntax: str, good: bool) -> None:
    assert (ignore_findings(".airflowignore", [line], syntax) == []) is good


@pytest.mark.parametrize(
    ("file", "folder", "wrong"),
    [(0o640, 0o750, 0), (0o644, 0o755, 0), (0o600, 0o750, 1), (0o640, 0o700, 1), (0o600, 0o640, 2)],
)
def test_account_and_group_must_be_able_to_read(file: int, folder: int, wrong: int) -> None:
    assert len(unreadable(file, folder)) == wrong


def test_a_link_to_what_does_not_travel_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {".dagreleaseignore": "/scratch/\n", "scratch/x.py": "", "kept/y.py": ""})
    (tmp_path / "bad.py").symlink_to("scratch/x.py")
    (tmp_path / "good.py").symlink_to("kept/y.py")
    (tmp_path / "folder").symlink_to("kept")
    assert found(tmp_path) == ["bad.py is a link to scratch/x.py, which is ignored and does not travel"]


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
