"""The lease: one holder, recognised when it is gone."""

import json
import os
from pathlib import Path

import pytest

from airflow_ops.dag_release.agent.lock import BOOT, Lock, describe, is_stale
from airflow_ops.dag_release.agent.place import AgentError

HOLDER = {"boot": "b", "expires": 100.0, "pid": 1}


@pytest.mark.parametrize(
    ("now", "boot", "alive", "stale"),
    [
        pytest.param(50, "b", True, False, id="held"),
        pytest.param(101, "b", True, True, id="expired"),
        pytest.param(50, "c", True, True, id="the host was started anew"),
        pytest.param(50, "b", False, True, id="its process is gone"),
    ],
)
def test_is_stale(now: float, boot: str, alive: bool, stale: bool) -> None:
    assert is_stale(HOLDER, now, boot, alive) is stale


def test_the_second_run_is_told_who_holds_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "l.json"), Lock(tmp_path / "l.json")
    assert first.take("me@here", "here", "deliver x") is None
    holder = second.take("you@there", "there", "deliver y")
    assert holder
    assert describe(holder).startswith("me@here holds the lock of DAG releases since 20")
    first.release()
    assert second.take("you@there", "there", "deliver y") is None


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"pid": 2**22 + 1}, id="killed"),
        pytest.param({"boot": "another"}, id="host started anew"),
        pytest.param({"expires": 1.0}, id="silent"),
    ],
)
def test_what_a_killed_run_left_is_taken_over(tmp_path: Path, left: dict[str, object]) -> None:
    path = tmp_path / "l.json"
    lost = Lock(path)
    lost.take("me@here", "here", "deliver x")
    path.write_text(json.dumps({**json.loads(path.read_text()), **left}))
    assert Lock(path).take("you@there", "there", "deliver y") is None
    with pytest.raises(AgentError, match="was taken over by another run"):
        lost.renew()


def test_a_lease_is_prolonged_by_the_holder_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.json"
    lock = Lock(path)
    lock.take("me@here", "here", "deliver x")
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "expires": 5.0}))
    lock.renew()
    assert json.loads(path.read_text())["expires"] >= held["expires"]
    assert (held["pid"], held["boot"]) == (os.getpid(), BOOT.read_text().strip())


def test_half_a_file_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text("{")
    assert Lock(tmp_path / "l.json").take("me@here", "here", "x") is None


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"run site\.yml --tags airflow"):
        Lock(tmp_path / "none/l.json").take("me@here", "here", "x")
