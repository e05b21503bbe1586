"""A worker that missed a release takes no tasks until it has caught up: its unit is stopped and refuses to start.

`systemctl mask` refuses a unit whose file lies in /etc, so a drop-in with a condition that never holds does it.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_ops.dag_release.agent.behind import QUARANTINE, UNIT
from airflow_ops.dag_release.fleet import Host, as_root, on_all

DROP_IN, FOLDER = str(QUARANTINE), str(QUARANTINE.parent)
TEXT = """\
# Written by dag_release: this worker missed a DAG release. The run of deploy_dags.yml that brings it removes this file.
[Unit]
AssertPathExists=/nonexistent/dag-release-quarantine
"""
# --no-block: the running tasks of the worker may end, new ones do not come.
ENTER = f"""\
systemctl cat {UNIT} >/dev/null 2>&1 || exit 0
[ ! -e {DROP_IN} ] || exit 0
mkdir -p {FOLDER}
cat >{DROP_IN} <<'END'
{TEXT}END
systemctl daemon-reload
systemctl stop --no-block {UNIT}
echo stopped
"""
LEAVE = f"""\
[ -e {DROP_IN} ] || exit 0
rm {DROP_IN}
rmdir --ignore-fail-on-non-empty {FOLDER}
systemctl daemon-reload
systemctl reset-failed {UNIT} 2>/dev/null || true
systemctl start --no-block {UNIT}
echo started
"""


def enter(workers: Iterable[Host]) -> list[str]:
    """Stop workers and keep them stopped; return what happened, one sentence a host."""
    return _each(workers, ENTER, "is behind and in quarantine: its worker is stopped until it has caught up")


def leave(workers: Iterable[Host]) -> list[str]:
    """Let workers work again; return what happened, one sentence a host."""
    return _each(workers, LEAVE, "has caught up, its worker runs again")


def _each(workers: Iterable[Host], script: str, happened: str) -> list[str]:
    outcome = on_all(workers, lambda host: as_root(host, ["sh", "-euc", script]))
    notes = [f"{name} {happened}." for name, result in sorted(outcome.results.items()) if result["said"]]
    return notes + [
        f"{name}: the quarantine of its worker failed ({why})." for name, why in sorted(outcome.bad.items())
    ]
