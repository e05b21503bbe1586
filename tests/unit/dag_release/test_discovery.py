"""Which files Airflow 2.11 loads."""

import zipfile
from pathlib import Path

import pytest

from airflow_ops.dag_release.discovery import UNREADABLE, Ignored, loaded, loaded_from_archive, might_hold_a_dag, rule

DAG = b"from airflow import DAG\n"


@pytest.mark.parametrize(
    ("syntax", "texts", "name", "hidden"),
    [
        ("regexp", {}, "p/a.py", False),
        ("regexp", {"": "spark/\n"}, "p/spark/a.py", True),
        ("regexp", {"": "spark$"}, "p/spark/a.py", True),
        ("regexp", {"": "^a"}, "p/a.py", False),
        ("regexp", {"": "# p/a.py\n"}, "p/a.py", False),
        ("regexp", {"": "p/a # why\n"}, "p/a.py", True),
        ("regexp", {"p": "^p/a"}, "p/a.py", True),
        ("regexp", {"q": "a"}, "p/a.py", False),
        ("regexp", {"": "(\na"}, "p/a.py", True),
        ("regexp", {"": "!a"}, "p/a.py", False),
        ("glob", {"": "a.py"}, "p/a.py", True),
        ("glob", {"": "/a.py"}, "p/a.py", False),
        ("glob", {"": "p/"}, "p/q/a.py", True),
        ("glob", {"": "p/*.py"}, "p/a.py", True),
        ("glob", {"p": "/a.py"}, "p/a.py", True),
        ("glob", {"": "*.py\n!a.py"}, "p/a.py", False),
        ("glob", {"": "*.py", "p": "!a.py"}, "p/a.py", False),
        ("glob", {"": "/"}, "a.py", False),
    ],
)
def test_what_airflowignore_hides(syntax: str, texts: dict[str, str], name: str, hidden: bool) -> None:
    assert Ignored(texts, syntax).hides(name) is hidden


@pytest.mark.parametrize(
    ("syntax", "line", "hidden"),
    [
        ("regexp", "t1/lib", True),
        ("regexp", "t1/lib/", False),  # Airflow asks for the folder without a slash, and goes into it
        ("glob", "t1/lib", True),
        ("glob", "t1/lib/", True),
        ("glob", "lib/", True),
    ],
)
def test_the_folders_that_airflow_does_not_go_into(syntax: str, line: str, hidden: bool) -> None:
    ignored = Ignored({"": line}, syntax)
    assert ignored.folder("t1/lib") is hidden
    assert ignored.hides("t1/lib/a.py")


@pytest.mark.parametrize(
    ("line", "why"),
    [("*.py", "nothing to repeat"), ("(", "unterminated"), ("a(?!b)", "RE2"), ("(?<=a)b", "RE2"), (r"(a)\1", "RE2")],
)
def test_expressions_that_airflow_does_not_know(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rule(line, "regexp")


@pytest.mark.parametrize("line", [r"a\\1", "(?:a)", "(?i)a", r"\d+"])
def test_expressions_that_airflow_knows(line: str) -> None:
    assert rule(line, "regexp")


@pytest.mark.parametrize(
    ("source", "safe_mode", "might"),
    [(DAG, True, True), (b"import airflow", True, False), (b"x = 1", True, False), (b"x = 1", False, True)],
)
def test_safe_mode(source: bytes, safe_mode: bool, might: bool) -> None:
    assert might_hold_a_dag(source, safe_mode) is might


def test_modules_of_a_dag_are_loaded_though_airflowignore_names_them() -> None:
    tree = {"dag.py": lambda: DAG + b"import p.a", "p/a.py": lambda: b"", "p/b.py": lambda: DAG, "c.py": lambda: b""}
    assert loaded(tree, Ignored({"": "^p/"}, "regexp"), safe_mode=True) == {"dag.py", "p/a.py"}


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_loaded_from_its_root(tmp_path: Path) -> None:
    members = {"d.py": DAG + b"import h", "h.py": b"", "x.py": b"", "p/d.py": DAG, "a.txt": b"airflow dag"}
    assert loaded_from_archive(archive(tmp_path / "a.zip", members), safe_mode=True).keys() == {"d.py", "h.py"}


def test_a_damaged_archive_matters_where_airflow_reads_it(tmp_path: Path) -> None:
    for members, matters in (({"d.py": DAG}, True), ({"p/d.class": DAG}, False)):
        path = archive(tmp_path / "a.zip", members)
        content = bytearray(path.read_bytes())
        content[10:40] = bytes(30)
        path.write_bytes(content)
        if matters:
            with pytest.raises(UNREADABLE):
                loaded_from_archive(path, safe_mode=True)
        else:
            assert loaded_from_archive(path, safe_mode=True) == {}


def test_an_archive_that_cannot_be_opened_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(archive(tmp_path / "b.zip", {"d.py": DAG}).read_bytes()[:-4])
    assert loaded_from_archive(tmp_path / "a.zip", safe_mode=True) == {}
