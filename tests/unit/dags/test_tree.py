"""The sample tree as files: what a release must carry is in it, and nothing that Airflow no longer has."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

DAGS = Path(__file__).resolve().parents[3] / "dags"
FILES = sorted(path for path in DAGS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
SOURCES = [path for path in FILES if path.suffix == ".py"]

# What Airflow 3 no longer has, and what never was.
OLD_SPELLINGS = (
    "schedule_interval=",
    "DummyOperator(",
    "airflow.operators.dummy",
    "SubDagOperator",
    "days_ago",
    "provide_context",
    "execution_date",
    "from airflow.sensor.",
)


def name_of(path: Path) -> str:
    return path.relative_to(DAGS).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_portable_spelling(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [old for old in OLD_SPELLINGS if old in text] == []


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".json"], ids=name_of)
def test_configuration_is_json(path: Path) -> None:
    assert json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".sh"], ids=name_of)
def test_scripts_run_as_they_are(path: Path) -> None:
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


def test_names_are_as_in_production() -> None:
    names = [name_of(path) for path in FILES]
    assert [name for name in names if " " in name]
    assert [name for name in names if re.search("[가-힣]", name)]
    assert [name for name in names if re.fullmatch(r"PROC_\w+/PKG_\w+/PR_\w+\.py", name)]


def test_every_dag_id_is_there_once() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in SOURCES]
    dag_ids = [
        keyword.value.value
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "DAG"
        for keyword in call.keywords
        if keyword.arg == "dag_id" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(dag_ids) == len(set(dag_ids)) == 8


def test_only_one_dag_runs_as_another_user() -> None:
    assert [path.name for path in SOURCES if '"run_as_user":' in path.read_text("utf-8")] == ["PR_RUN_AS_USER.py"]


@pytest.mark.parametrize(
    ("content", "code", "output"),
    [
        pytest.param("일곱", 0, "보고서 양식.json 6\n", id="a file"),
        pytest.param("", 1, "", id="an empty file"),
        pytest.param(None, 1, "", id="no file"),
    ],
)
def test_check_file(tmp_path: Path, content: str | None, code: int, output: str) -> None:
    path = tmp_path / "보고서 양식.json"
    if content is not None:
        path.write_text(content, "utf-8")
    done = subprocess.run([DAGS / "NGIOS_UTIL/check_file.sh", path], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, output)


def test_run_spark_names_what_is_missing() -> None:
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [DAGS / "NGIOS_UTIL/run_spark.sh", "x.py"], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode != 0
    assert "SPARK_HOME is not set" in done.stderr
