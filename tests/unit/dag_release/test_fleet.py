"""A host that keeps its connection and says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_ops.dag_release.fleet import Host, Session, Unreachable


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
