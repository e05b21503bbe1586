"""Preflight refuses hosts on which somebody else's Airflow runs, and says all it found at once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).parents[3]
HOST = "dn01d"

UNIT = "/etc/systemd/system/multi-user.target.wants/airflow-flower.service"
CONFIGURATION = "/usr/hmg/0.0/airflow/airflow.cfg"
TOPOLOGY = "/var/lib/ambari-agent/cache/cluster_cache/topology.json"
PLANTED = (UNIT, CONFIGURATION, TOPOLOGY)
PORT = 18793
OPTIONS = {"airflow_config_settings": {"logging": {"worker_log_server_port": PORT}}}
ACCOUNT = "nosudo"


def preflight(*arguments: str) -> tuple[int, str]:
    """Run the playbook on one host; return its exit code and output, each run of white space as one blank."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    inventories = ["-i", str(ROOT / "inventories/dev"), "-i", f"{os.environ['LAB_INVENTORY']}/dev.yml"]
    command = ["ansible-playbook", *inventories, "-l", HOST, *arguments, str(ROOT / "playbooks/preflight.yml")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def host() -> Host:
    """Return the one host on which the tests plant something, whichever hosts the scenario names."""
    return testinfra.get_host(f"ssh://{HOST}", ssh_config=os.environ["LAB_SSH_CONFIG"])


@pytest.fixture
def foreign_airflow(host: Host) -> Iterator[dict[str, str]]:
    """Plant what an Ambari and its Airflow leave on a host; return the pids of the processes by name."""
    text = {UNIT: "[Service]", CONFIGURATION: "[core]", TOPOLOGY: '{"componentName": "AIRFLOW_WORKER"}'}
    for path, content in text.items():
        host.check_output("sudo mkdir -p %s", str(Path(path).parent))
        host.check_output("echo %s | sudo tee %s", content, path)
    for unit, command in (
        ("planted-scheduler", 'exec -a "airflow scheduler" sleep 600'),
        ("planted-listener", f"exec python3 -m http.server {PORT}"),
    ):
        host.check_output("sudo systemd-run --quiet --unit %s bash -c %s", unit, command)
    host.check_output(f"timeout 10 bash -c 'until ss -tln | grep -q :{PORT}; do sleep 0.2; done'")
    show = "systemctl show --property MainPID --value planted-%s"
    yield {name: host.check_output(show, name) for name in ("scheduler", "listener")}
    host.check_output("sudo systemctl stop planted-scheduler planted-listener")
    host.check_output(f"sudo rm -rf {' '.join(PLANTED)} /usr/hmg/0.0 /var/lib/ambari-agent")


def test_a_foreign_airflow_is_refused_with_all_evidence(foreign_airflow: dict[str, str]) -> None:
    code, output = preflight("-e", json.dumps(OPTIONS))
    assert code == 2, output
    assert f"Host {HOST} has 2 faults; nothing was changed." in output
    assert (
        f"- Port {PORT}, wanted for the worker's log server, is in use by python3 (pid {foreign_airflow['listener']}, "
        "planted-listener.service): stop it, or give the worker's log server another port."
    ) in output
    assert (
        f"- An Airflow that is not ours is on the host (Ambari runs AIRFLOW_WORKER ({TOPOLOGY}); unit {UNIT}; "
        f"process {foreign_airflow['scheduler']} (airflow scheduler); configuration {CONFIGURATION}): remove it, or "
        "set airflow_take_over: true in inventories/dev/group_vars/dev/airflow.yml."
    ) in output


@pytest.mark.usefixtures("foreign_airflow")
def test_a_foreign_airflow_may_be_taken_over() -> None:
    code, output = preflight("-e", "airflow_take_over=true")
    assert code == 0, output


@pytest.fixture
def account_without_sudo(host: Host) -> Iterator[None]:
    """Create an account that may log in as the admin does, and may not use sudo."""
    host.check_output(f"id {ACCOUNT} || sudo useradd --create-home {ACCOUNT}")
    host.check_output(f"sudo cp -r ~/.ssh /home/{ACCOUNT}/ && sudo chown -R {ACCOUNT}: /home/{ACCOUNT}/.ssh")
    yield
    host.check_output(f"sudo pkill -u {ACCOUNT}; sudo userdel --remove --force {ACCOUNT} 2>/dev/null; true")


@pytest.mark.usefixtures("account_without_sudo")
def test_an_account_without_sudo_is_told() -> None:
    code, output = preflight("-e", f"ansible_user={ACCOUNT}")
    assert code == 2, output
    assert f"- {ACCOUNT} cannot use sudo without a password: give it NOPASSWD in /etc/sudoers.d." in output


def test_a_name_that_does_not_resolve_is_told() -> None:
    code, output = preflight("-e", json.dumps({"broker_external": True, "broker_host": "mq.invalid"}))
    assert code == 2, output
    assert "- The host cannot resolve mq.invalid: add the names to DNS or to /etc/hosts." in output
