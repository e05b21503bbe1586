"""The program that a host gets, and a host that keeps its connection and says nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_ops.dag_release import fleet
from airflow_ops.dag_release.fleet import PIPE, START, Host, Session, Unreachable, agent_program


@pytest.mark.parametrize("magic", [importlib.util.MAGIC_NUMBER, b"another version"], ids=["code", "source"])
def test_a_host_runs_the_agent_whatever_its_python_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: bytes
) -> None:
    monkeypatch.setattr(fleet, "MAGIC_NUMBER", magic)
    fleet.agent_code.cache_clear()
    program = agent_program({"dags": str(tmp_path / "dags"), "group": "hadoop"})
    fleet.agent_code.cache_clear()
    asked = program + b'{"verb": "look"}\n'
    done = subprocess.run([sys.executable, "-I", "-S", "-c", START], input=asked, capture_output=True, check=True)
    assert json.loads(done.stdout)["live"] is None


def test_the_agent_fits_into_a_pipe() -> None:
    assert len(agent_program({"dags": "/a/folder/of/dags", "group": "hadoop"})) < PIPE - 4096


class SilentHost(Host):
    """Instead of ssh, a program that answers nothing."""

    def ssh(self) -> list[str]:
        return ["sh", "-c", "exec sleep 60"]


def test_a_host_that_does_not_answer_in_time_counts_as_lost_from_then_on(tmp_path: Path) -> None:
    session = Session(SilentHost("dn01p", "dn01p"), "airflow", {"dags": str(tmp_path / "dags"), "group": "hadoop"})
    session.send("activate", {})
    with pytest.raises(Unreachable, match="it did not answer within 1 s"):
        session.answer(limit=1)
    session.send("back", {})
    with pytest.raises(Unreachable):
        session.answer(limit=1)
    session.hang_up()
    session.close()
