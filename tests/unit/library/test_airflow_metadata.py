"""What the tables must hold after the changes, and the files of which the newest are kept."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import kept_files
from ansible.module_utils.airflow_inside import metadata
from ansible.module_utils.airflow_python import InsideError, NotInstalledError

from library import airflow_metadata

HAVE = {"connections": {"a": {"host": "x"}, "b": {"host": "y"}}}


@pytest.mark.parametrize(
    ("name", "after", "want"),
    [
        pytest.param("c", {"host": "z"}, {"a": {"host": "x"}, "b": {"host": "y"}, "c": {"host": "z"}}, id="new"),
        pytest.param("a", {"host": "z"}, {"a": {"host": "z"}, "b": {"host": "y"}}, id="changed"),
        pytest.param("a", None, {"b": {"host": "y"}}, id="deleted"),
    ],
)
def test_expected(name: str, after: Any, want: Any) -> None:
    changes = [{"kind": "connections", "name": name, "after": after}]
    assert metadata.expected(HAVE, changes) == {"connections": want}


@pytest.mark.parametrize(
    ("have", "wrong"),
    [
        pytest.param({"a": {"host": "x"}, "b": {"host": "y"}}, [], id="the same"),
        pytest.param({"a": {"host": "?"}, "b": {"host": "y"}}, ["a"], id="other value"),
        pytest.param({"b": {"host": "y"}}, ["a"], id="missing"),
        pytest.param({**HAVE["connections"], "c": {}}, ["c"], id="too many"),
    ],
)
def test_differences(have: Any, wrong: list[str]) -> None:
    assert metadata.differences(HAVE, {"connections": have}) == wrong


@pytest.mark.parametrize(
    ("number", "missing", "words"),
    [
        pytest.param(1146, True, "has no tables of Airflow", id="no tables"),
        pytest.param(2002, False, "does not answer", id="no server"),
        pytest.param(1045, False, "does not answer", id="access denied"),
        pytest.param(1049, False, "does not answer", id="no such database"),
    ],
)
def test_only_a_database_without_tables_may_be_taken_for_empty(
    number: int, missing: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = metadata.lost(Exception(number, "text"), committing=False)
    assert not {"missing", "error"} & answer.keys()  # with these run_inside itself raises
    assert answer["lost"].startswith(f"The metadata database {words}: ")
    monkeypatch.setattr(airflow_metadata, "run_inside", lambda *_: answer)
    with pytest.raises(airflow_metadata.FailedError) as failed:
        airflow_metadata.export({"kinds": [], "types": False})
    assert failed.value.facts == {"missing": missing, "unsure": False}


def test_an_empty_text_is_as_good_as_none() -> None:
    assert metadata.differences({"connections": {"a": {"x": ""}}}, {"connections": {"a": {"x": None}}}) == []


def test_the_holder_of_the_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    with metadata.run_lock(path, "kim@mn02p"):
        about = json.loads(path.read_text())
        assert about["who"] == "kim@mn02p"
        with pytest.raises(metadata.Refusal, match="kim@mn02p holds"), metadata.run_lock(path, "lee"):
            pass
    with metadata.run_lock(path, "lee"):
        assert json.loads(path.read_text())["who"] == "lee"


def test_a_folder_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    with pytest.raises(metadata.Refusal, match=r"run site\.yml"), metadata.run_lock(tmp_path / "no/lock.json", "kim"):
        pass


def test_the_newest_files_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for text in ("one", "two", "three"):
        path = kept_files.write_kept(folder, ".txt", text.encode())
        assert path.read_text() == text
        kept_files.prune_kept(folder, ".txt", keep=2)
    assert sorted(file.read_text() for file in folder.iterdir()) == ["three", "two"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_files.write_kept(tmp_path, ".txt", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        kept_files.write_kept(tmp_path, ".txt", b"new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param({"written": 1}, ["second", "third"], id="written: the oldest goes"),
        pytest.param({"refused": "Locked."}, ["first", "second"], id="refused"),
        pytest.param(
            {"lost": "Gone.", "unsure": False, "no_tables": False}, ["first", "second"], id="lost before the commit"
        ),
        pytest.param(
            {"lost": "Gone.", "unsure": True, "no_tables": False}, ["first", "second", "third"], id="lost in the commit"
        ),
        pytest.param(NotInstalledError("No Airflow."), ["first", "second"], id="no Airflow"),
        pytest.param(InsideError("Killed."), ["first", "second", "third"], id="killed"),
    ],
)
def test_a_backup_stays_where_something_may_be_written(
    answer: Any, kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_inside(*_: Any) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    monkeypatch.setattr(airflow_metadata, "run_inside", run_inside)
    for number, text in enumerate(("first", "second")):
        (tmp_path / f"{number}{airflow_metadata.SUFFIX}").write_text(text)
    backup = {"backup": "third", "backup_folder": str(tmp_path), "backup_keep": 2}
    params = {"changes": "[1]", **backup, "lock": "", "who": ""}
    with nullcontext() if "written" in str(answer) else pytest.raises(airflow_metadata.FailedError):
        airflow_metadata.apply(params, check=False)
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == kept
