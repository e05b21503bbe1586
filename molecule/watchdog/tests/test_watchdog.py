"""What is installed, what airflow may do as root, which trigger there is, and how a host is cleaned of it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).parents[3]
DOOR = "/usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh"
RESTART = "/usr/local/libexec/airflow-watchdog/restart-scheduler"
ENTRY = f"* * * * * sh {DOOR}"


@pytest.fixture(scope="module")
def scheduler() -> Host:
    """Return the host that the watchdog is for."""
    return testinfra.get_host("ssh://mn01d", ssh_config=os.environ["LAB_SSH_CONFIG"])


def run_role(**variables: object) -> subprocess.CompletedProcess[str]:
    """Run the role again with other values."""
    command = ["ansible-playbook", "-i", "inventories/dev", "-i", f"{os.environ['LAB_INVENTORY']}/dev.yml"]
    command += ["-l", "mn01d", "-e", json.dumps(variables), "molecule/watchdog/converge.yml"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def converge(**variables: object) -> None:
    """Run the role again, which must work."""
    done = run_role(**variables)
    assert done.returncode == 0, done.stdout + done.stderr


def crontab(host: Host) -> list[str]:
    """Return the active lines of airflow's crontab."""
    with host.sudo():
        lines = host.run("crontab -l -u airflow").stdout.splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_one_entry_took_the_place_of_the_manual_s(scheduler: Host) -> None:
    assert crontab(scheduler) == [ENTRY]
    assert scheduler.service("cron").is_running and scheduler.service("cron").is_enabled


def test_program_and_permission_belong_to_root(scheduler: Host) -> None:
    found = scheduler.check_output(
        "find /usr/local/lib/airflow-watchdog /usr/local/libexec/airflow-watchdog /usr/local/bin/watchdog "
        "/etc/airflow/watchdog.json ! -user root -o -perm /022"
    )
    assert found == ""


def test_the_door_works_for_airflow_from_an_empty_environment(scheduler: Host) -> None:
    with scheduler.sudo("airflow"):
        assert scheduler.run(f"env -i sh {DOOR}").rc == 0
    assert "airflow-scheduler.service: " in scheduler.check_output("watchdog status")


def test_airflow_may_run_exactly_one_command_as_root(scheduler: Host) -> None:
    with scheduler.sudo():
        rights = [
            line.strip() for line in scheduler.check_output("sudo -l -U airflow").splitlines() if "NOPASSWD" in line
        ]
    assert rights == [f'(root) NOPASSWD: {RESTART} ""']


@pytest.mark.parametrize(
    "command",
    [
        f"{RESTART} airflow-worker.service",
        "systemctl restart airflow-scheduler.service",
        "systemctl restart ssh.service",
        "journalctl -n 1",
        "sh -c id",
        f"-u mbsadmin {RESTART}",
        f"LD_PRELOAD=/tmp/x.so {RESTART}",
        f"-E PATH=/tmp {RESTART}",
        f"/bin/sh {RESTART}",
    ],
)
def test_everything_else_is_refused(scheduler: Host, command: str) -> None:
    with scheduler.sudo("airflow"):
        done = scheduler.run(f"sudo -n {command}")
    assert done.rc == 1, done.stdout
    assert "sudo:" in done.stderr


def test_a_link_that_airflow_lays_gives_it_nothing(scheduler: Host) -> None:
    outbox, trap = "/run/airflow-watchdog/outbox", "/etc/watchdog-trap"
    with scheduler.sudo():
        scheduler.check_output(f"mkdir {trap}; chmod 755 {trap}; rm -r {outbox}")
        scheduler.check_output(f"sudo -u airflow ln -s {trap} {outbox}")
        try:
            assert run_role().returncode
            assert scheduler.check_output(f"stat -c '%U %a' {trap}") == "root 755"
        finally:
            scheduler.check_output(f"rm {outbox}; rmdir {trap}")
    converge()
    assert scheduler.check_output(f"sudo stat -c '%F %U %a' {outbox}") == "directory airflow 750"


def test_hosts_without_scheduler_have_none_of_it() -> None:
    host = testinfra.get_host("ssh://dn01d", ssh_config=os.environ["LAB_SSH_CONFIG"])
    assert not host.file("/etc/airflow/watchdog.json").exists
    assert crontab(host) == []


def test_a_timer_and_another_manager_s_command_take_the_place_of_cron_and_sudo_and_back(scheduler: Host) -> None:
    hook = ["/usr/local/bin/ambari-restart", "AIRFLOW_SCHEDULER"]
    converge(watchdog_trigger="timer", watchdog_restart_command=hook)
    assert crontab(scheduler) == []
    assert scheduler.service("airflow-watchdog.timer").is_enabled
    with scheduler.sudo():
        assert not scheduler.file("/etc/sudoers.d/airflow-watchdog").exists
        scheduler.check_output("systemctl start airflow-watchdog.service")
    assert "looked at" in scheduler.check_output("watchdog status")
    assert json.loads(scheduler.file("/etc/airflow/watchdog.json").content_string)["restart_command"] == hook
    converge()
    assert crontab(scheduler) == [ENTRY]
    assert not scheduler.file("/etc/systemd/system/airflow-watchdog.timer").exists
    with scheduler.sudo():
        assert scheduler.file("/etc/sudoers.d/airflow-watchdog").mode == 0o440
