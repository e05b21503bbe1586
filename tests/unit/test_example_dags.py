"""The example DAGs come out of the wheel as a tree of their own."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from airflow_ops import example_dags
from airflow_ops.example_dags import ExampleDagsError, airflow_wheel, extract, wanted


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of one wheelhouse, with a small wheel of Airflow and the wheel of a provider."""
    folder = tmp_path / "cache/0123456789ab/wheels"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "apache_airflow-2.11.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("airflow/__init__.py", "")
        wheel.writestr("airflow/example_dags/example_xcom.py", "x = 1\n")
        wheel.writestr("airflow/example_dags/libs/helper.py", "y = 2\n")
        wheel.writestr("airflow/example_dags/example_workday_timetable.py", "z = 3\n")
    (folder / "apache_airflow_providers_ftp-3.14.1-py3-none-any.whl").touch()
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param("airflow/example_dags/example_xcom.py", "example_xcom.py", id="a DAG"),
        pytest.param("airflow/example_dags/sql/sample.sql", "sql/sample.sql", id="a file in a folder"),
        pytest.param("airflow/example_dags/sql/", None, id="the folder itself"),
        pytest.param("airflow/example_dags/example_workday_timetable.py", None, id="needs a plugin"),
        pytest.param("airflow/models/dag.py", None, id="elsewhere in the wheel"),
        pytest.param("airflow/providers/x/example_dags/example_x.py", None, id="a provider's"),
        pytest.param("airflow/example_dags_more/x.py", None, id="a similar name"),
    ],
)
def test_wanted(name: str, path: str | None) -> None:
    assert wanted([name]) == ({name: PurePosixPath(path)} if path else {})


def test_extract_writes_the_tree(cache: Path, tmp_path: Path) -> None:
    target = tmp_path / "tree"
    assert extract(target, cache) == [PurePosixPath("example_xcom.py"), PurePosixPath("libs/helper.py")]
    assert (target / "libs/helper.py").read_text() == "y = 2\n"


def test_extract_refuses_a_folder_in_use(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "mine.py").touch()
    with pytest.raises(ExampleDagsError, match="is not empty"):
        extract(tmp_path / "tree", cache)


def test_the_newest_wheelhouse_counts(cache: Path) -> None:
    newer = cache / "newer/wheels/apache_airflow-2.11.3-py3-none-any.whl"
    newer.parent.mkdir(parents=True)
    newer.touch()
    os.utime(cache / "0123456789ab", (0, 0))
    assert airflow_wheel(cache) == newer


def test_no_wheel_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExampleDagsError, match="holds no wheel of Airflow; run site"):
        airflow_wheel(tmp_path)


def test_command_line(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tmp_path / "tree"), "--cache", str(cache)]
    assert example_dags.main(arguments) == 0
    assert capsys.readouterr().out == f"2 files in {tmp_path / 'tree'}\n"
    assert example_dags.main(arguments) == 2
    assert "is not empty" in capsys.readouterr().err
