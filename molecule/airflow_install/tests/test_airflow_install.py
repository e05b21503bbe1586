"""The environment of Airflow on the hosts, and the gate that keeps a broken one out of service."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from testinfra.host import Host

HOME = "/usr/hmg/2.2.1.0-552/airflow"
VENV = f"{HOME}/venv"
FILES = Path(__file__).parents[3] / "roles/airflow_install/files"

# What the two kinds of broken releases do, done to the installed packages of one process.
BROKEN = {
    "a task name that no worker registers": (
        "import celery.app.task as t\n"
        "send = t.Task.apply_async\n"
        "def renamed(self, *a, **k):\n"
        "    self.name = 'execute_command'\n"
        "    return send(self, *a, **k)\n"
        "t.Task.apply_async = renamed\n",
        "The scheduler sends ['execute_command'], which no worker registers",
    ),
    "an executor that does not import": (
        "import celery.backends.database as d\ndel d.retry\n",
        "cannot import name 'retry'",
    ),
}


def gate(host: Host, site: str = "") -> tuple[int, str]:
    """Run the gate in the installed environment, with a module that Python loads first; return code and output."""
    script = shlex.quote((FILES / "gate.py").read_text())
    prepare = f"d=$(mktemp -d); printf %s {shlex.quote(site)} > $d/sitecustomize.py"
    done = host.run(
        f"{prepare}; printf %s {script} | sudo env PYTHONPATH=$d {VENV}/bin/python - 2>&1; echo rc=$?; rm -r $d"
    )
    return int(done.stdout.rpartition("rc=")[2]), done.stdout


def test_the_link_names_version_and_lock(host: Host) -> None:
    with host.sudo():
        assert host.file(VENV).linked_to.startswith(f"{HOME}/venvs/2.11.2-")
        assert host.file(f"{VENV}/.complete").exists


def test_airflow_runs_in_the_login_shell(host: Host) -> None:
    assert (
        host.run("sudo -iu airflow env AIRFLOW__CORE__UNIT_TEST_MODE=False airflow version").stdout.split()[-1]
        == "2.11.2"
    )


def test_the_drivers_load(host: Host) -> None:
    modules = "MySQLdb, psycopg2, redis, amqp, statsd, paramiko, setuptools"
    assert host.run(f"sudo -iu airflow {VENV}/bin/python -c 'import {modules}'").rc == 0


def test_exactly_the_lock_is_installed(host: Host) -> None:
    folder = "/var/cache/airflow-ops/wheelhouse/*"
    with host.sudo():
        installed = host.check_output(f"sh -c '{folder}/uv pip freeze --no-config --python {VENV}/bin/python'")
        locked = host.check_output(f"sh -c 'cut -d\" \" -f1 {folder}/requirements.txt'")
    assert sorted(installed.split()) == sorted(locked.split())


def test_the_account_cannot_change_it(host: Host) -> None:
    assert host.run(f"sudo -iu airflow touch {VENV}/x").rc != 0
    with host.sudo():
        assert host.check_output(f"find {VENV}/ -not -user root -o -not -type l -not -perm -o=r | head -3") == ""


def test_it_is_compiled_to_bytecode(host: Host) -> None:
    with host.sudo():
        assert host.file(f"{VENV}/lib/python3.11/site-packages/airflow/__pycache__/settings.cpython-311.pyc").exists


def test_no_compiler_was_needed(host: Host) -> None:
    assert not host.exists("gcc")


def test_the_gate_lets_this_environment_pass(host: Host) -> None:
    code, output = gate(host)
    assert code == 0, output


@pytest.mark.parametrize(("site", "reason"), BROKEN.values(), ids=BROKEN)
def test_the_gate_stops_a_broken_release(host: Host, site: str, reason: str) -> None:
    code, output = gate(host, site)
    assert code == 1
    assert reason in output
