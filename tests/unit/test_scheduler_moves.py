"""What guards a scheduler that may run once: the role's refusals, run by Ansible against hosts that are none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OLD, NEW = "mn02p", "mn03p"
GROUPS = f"[airflow_scheduler]\n{OLD}\n{NEW}\n[prod:children]\nairflow_scheduler\n"


def play(tmp_path: Path, steps: str, *args: str, **variables: Any) -> tuple[int, str]:
    """Run one file of the role's tasks on both hosts, both this machine; return exit code and output."""
    (tmp_path / "hosts").write_text(GROUPS)
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nroles_path={ROOT}/roles\nlibrary={tmp_path}/library\n")
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
    harmless = ("install.yml", "status.yml", "fenced.yml", "standby.yml", "others.yml")
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


HAND = {"host": "dn01p", "text": "process 4711 of root on dn01p since noon (airflow scheduler)"}
STARTS: dict[str, tuple[str, list[dict[str, str]], str, str]] = {
    "nobody else": ("inactive", [], "", ""),
    "one by hand": ("inactive", [HAND], "", f"Another scheduler runs, {HAND['text']}, and two queue the same tasks"),
    "one by hand beside the unit": ("active", [HAND], "", f"None was started or restarted on {OLD}; end that one"),
    "no database": (
        "inactive",
        [],
        "the database is away",
        "runs, since the database is away, so none was started",
    ),
    "no database, but it runs": ("active", [], "the database is away", ""),
}


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """Return a file from which a module of the same name takes the answer of airflow_schedulers."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library/airflow_schedulers.py").write_text(STUB.format(file=tmp_path / "seen.json"))
    return tmp_path / "seen.json"


STUB = """\
#!/usr/bin/python
from pathlib import Path
import json
from ansible.module_utils.basic import AnsibleModule
names = ("looks", "seconds", "patience", "python", "user", "environment_file")
module = AnsibleModule({{name: {{"type": "raw"}} for name in names}}, supports_check_mode=True)
module.exit_json(**json.loads(Path("{file}").read_text()))
"""


@pytest.mark.parametrize(("state", "others", "error", "said"), STARTS.values(), ids=STARTS)
def test_nothing_of_ours_starts_a_second_one(
    tmp_path: Path, seen: Path, state: str, others: list[dict[str, str]], error: str, said: str
) -> None:
    seen.write_text(json.dumps({"others": others, "error": error}))
    code, output = play(tmp_path, "others.yml", __airflow_services_state=unit(state))
    assert (code, said in output) == (2 if said else 0, True), output
    assert output.count("fatal:") == bool(said)


@pytest.mark.parametrize("verb", ["main", "start", "restart", "failover", "take_over"])
def test_every_verb_that_starts_a_scheduler_looks_for_another_one_first(verb: str) -> None:
    lines = (ROOT / f"roles/airflow_services/tasks/{verb}.yml").read_text().splitlines()
    called = [line.split()[-1] for line in lines if "_tasks:" in line or "systemd_service:" in line]
    harmless = ("install.yml", "status.yml", "fenced.yml", "standby.yml", "failover_allowed.yml")
    assert called.index("others.yml") < min(i for i, name in enumerate(called) if name not in (*harmless, "others.yml"))
