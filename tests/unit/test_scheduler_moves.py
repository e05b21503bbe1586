"""What guards a scheduler that may run once: the role's refusals, run by Ansible against hosts that are none."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OLD, NEW = "mn02p", "mn03p"
GROUPS = f"[airflow_scheduler]\n{OLD}\n{NEW}\n[prod:children]\nairflow_scheduler\n"


def play(tmp_path: Path, steps: str, *args: str, **variables: Any) -> tuple[int, str]:
    """Run one file of the role's tasks on both hosts, both this machine; return exit code and output."""
    (tmp_path / "hosts").write_text(GROUPS)
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nroles_path={ROOT}/roles\n")
    task = {"ansible.builtin.import_role": {"name": "airflow_services", "tasks_from": steps}}
    values = {"airflow_environment": "prod", "airflow_active_scheduler": OLD, "airflow_services_failover_to": NEW}
    values |= {"ansible_python_interpreter": "/usr/bin/python3", **variables}
    content = [{"hosts": "airflow_scheduler", "gather_facts": False, "vars": values, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(content))
    command = ["ansible-playbook", "-i", "hosts", "-c", "local", "play.yml", *args]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def unit(state: str = "inactive", enabled: bool = False) -> dict[str, Any]:
    """Return what a look at the services found."""
    scheduler = {"installed": True, "enabled": enabled, "state": state, "fenced": False}
    return {"services": {"scheduler": scheduler}}


RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "active": (unit("active"), f"The scheduler of {NEW} is active, but"),
    "about to start": (unit("activating"), f"The scheduler of {NEW} is activating, but"),
    "down, and back at the next boot": (
        unit("failed", True),
        f"The scheduler of {NEW} is failed and starts at boot, but",
    ),
}


@pytest.mark.parametrize(("found", "said"), RUNS.values(), ids=RUNS)
def test_a_standby_that_runs_the_scheduler_is_refused(tmp_path: Path, found: dict[str, Any], said: str) -> None:
    code, output = play(tmp_path, "standby.yml", "-l", NEW, __airflow_services_state=found)
    assert code == 2
    assert f"{said} airflow_active_scheduler calls {OLD} the active host" in output
    assert f"failover.yml -e airflow_services_failover_to={OLD}" in output


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_standby_that_is_down_is_none_of_its_business(tmp_path: Path, state: str) -> None:
    code, output = play(tmp_path, "standby.yml", __airflow_services_state=unit(state))
    assert code == 0, output


def test_a_run_that_leaves_the_scheduler_alone_goes_on(tmp_path: Path) -> None:
    variables = {"__airflow_services_state": unit("active"), "airflow_services_names": ["worker"]}
    code, output = play(tmp_path, "standby.yml", **variables)
    assert code == 0, output


@pytest.mark.parametrize("verb", ["main", "start", "stop", "restart"])
def test_every_verb_looks_for_such_a_standby_before_it_acts(verb: str) -> None:
    lines = (ROOT / f"roles/airflow_services/tasks/{verb}.yml").read_text().splitlines()
    called = [line.split()[-1] for line in lines if "_tasks:" in line or "_role:" in line]
    harmless = ("install.yml", "status.yml", "fenced.yml", "standby.yml")
    assert called.index("standby.yml") < min(i for i, name in enumerate(called) if name not in harmless)


REFUSALS: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "the old host left out": (["-l", NEW], {}, f"{OLD} cannot be reached, or -l leaves it out, so"),
    "the new host left out": (["-l", OLD], {}, f"{NEW} does not answer, or -l leaves it out, so it cannot take over"),
    "no host for schedulers": ([], {"airflow_services_failover_to": "dn01p"}, "is 'dn01p' and must be one of"),
}


@pytest.mark.parametrize(("limit", "values", "said"), REFUSALS.values(), ids=REFUSALS)
def test_a_failover_that_could_end_in_two_is_refused(
    tmp_path: Path, limit: list[str], values: dict[str, Any], said: str
) -> None:
    code, output = play(tmp_path, "failover_allowed.yml", *limit, **values)
    assert code == 2
    assert said in output


@pytest.mark.parametrize(("limit", "force"), [([], False), (["-l", NEW], True)], ids=["both answer", "forced"])
def test_a_failover_goes_on(tmp_path: Path, limit: list[str], force: bool) -> None:
    code, output = play(tmp_path, "failover_allowed.yml", *limit, airflow_services_failover_force=force)
    assert code == 0, output


def load() -> ModuleType:
    """Import the program that proves that nobody else schedules."""
    file = ROOT / "roles/airflow_services/files/other_schedulers.py"
    spec = importlib.util.spec_from_file_location("other_schedulers", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


other_schedulers = load()
DEAD, LIVE, OWN = (1, f"{OLD}.example.com", 100), (2, "dn01p", 50), (3, f"{NEW}.example.com", 7)

LOOKS: dict[str, tuple[list[list[tuple[int, str, int]]], list[str]]] = {
    "nobody": ([[]], []),
    "only the host itself": ([[OWN], [(3, NEW, 8)]], []),
    "one that died": ([[DEAD], [DEAD], [DEAD]], []),
    "one that ended meanwhile": ([[DEAD], [], []], []),
    "one that lives": ([[DEAD, LIVE], [DEAD, LIVE], [DEAD, (2, "dn01p", 51)]], ["dn01p"]),
    "one that lives, by a clock that runs behind": ([[(2, "dn01p", -45)], [(2, "dn01p", -40)]], ["dn01p"]),
    "one that started meanwhile": ([[DEAD], [DEAD, LIVE]], ["dn01p"]),
}


@pytest.mark.parametrize(("looks", "found"), LOOKS.values(), ids=LOOKS)
def test_who_writes_heartbeats_lives(
    monkeypatch: pytest.MonkeyPatch, looks: list[list[tuple[int, str, int]]], found: list[str]
) -> None:
    now, seen = [0.0], iter(looks)
    monkeypatch.setattr(other_schedulers.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(other_schedulers.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert other_schedulers.watch(lambda: other_schedulers.others(next(seen), NEW), 10) == found
