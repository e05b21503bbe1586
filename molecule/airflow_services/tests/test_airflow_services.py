"""What systemd does for the services (start at boot, come back, end all their processes), their queues, and HTTPS."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).parents[3]
HOME = "/usr/hmg/2.2.1.0-552/airflow"
SERVICES = {"mn01d": ["scheduler", "webserver", "triggerer"], "dn01d": ["worker"]}
PAUSE = 1.0  # seconds


def on(name: str) -> Host:
    """Return a host, whichever hosts the scenario names."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=os.environ["LAB_SSH_CONFIG"])


@pytest.fixture(scope="module")
def services(host: Host) -> list[str]:
    """Return the services that the groups give to the host."""
    return SERVICES[host.check_output("hostname")]


def properties(host: Host, service: str) -> dict[str, str]:
    """Return what systemd knows about a service."""
    shown = host.check_output(f"systemctl show airflow-{service}")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def wait_for_another_process(host: Host, service: str, old: str, seconds: float = 30) -> dict[str, str]:
    """Wait until a service runs in another main process; the journal tells why it does not."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = properties(host, service)
        if now["ActiveState"] == "active" and now["MainPID"] not in ("0", old):
            return now
        time.sleep(PAUSE)
    with host.sudo():
        raise AssertionError(host.run(f"journalctl -n 40 --no-pager -u airflow-{service}").stdout)


def test_services_run_as_airflow_and_start_at_boot(host: Host, services: list[str]) -> None:
    for name in services:
        service = host.service(f"airflow-{name}")
        assert service.is_running and service.is_enabled
        shown = properties(host, name)
        assert (shown["User"], shown["Group"]) == ("airflow", "hadoop")
        assert host.check_output(f"stat -c %U /proc/{shown['MainPID']}") == "airflow"


def test_a_host_has_only_the_units_of_its_groups(host: Host, services: list[str]) -> None:
    units = host.check_output("cd /etc/systemd/system && ls -1 airflow-*.service").split()
    ours = [unit for unit in units if host.file(f"/etc/systemd/system/{unit}").contains("role airflow_services")]
    assert sorted(ours) == sorted(f"airflow-{name}.service" for name in services)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("StartLimitIntervalUSec", "0"),
        ("Restart", "always"),
        ("RestartUSec", "10s"),
        ("KillMode", "mixed"),
        ("LimitNOFILE", "65536"),
        ("LimitNPROC", "16384"),
        ("EnvironmentFiles", "/etc/airflow/airflow.env (ignore_errors=no)"),
    ],
)
def test_properties_that_other_parts_rely_on(host: Host, services: list[str], name: str, value: str) -> None:
    assert {service: properties(host, service)[name] for service in services} == dict.fromkeys(services, value)


def test_only_workers_may_use_sudo(host: Host, services: list[str]) -> None:
    for service in services:
        assert properties(host, service)["NoNewPrivileges"] == ("no" if service == "worker" else "yes")


def test_a_worker_gets_ten_minutes_for_its_tasks_and_listens_on_its_queues() -> None:
    shown = properties(on("dn01d"), "worker")
    assert shown["TimeoutStopUSec"] == "10min"
    assert "--queues default,dn01d,reports " in shown["ExecStart"]


def test_a_worker_takes_tasks_from_all_its_queues() -> None:
    celery = "celery --quiet --app airflow.providers.celery.executors.celery_executor.app"
    shown = on("dn01d").check_output(
        f"sudo -iu airflow {celery} inspect active_queues --json --destination celery@dn01d"
    )
    (queues,) = json.loads(shown[shown.index("{") :]).values()
    assert {queue["name"] for queue in queues} == {"default", "dn01d", "reports"}


def playbook(name: str) -> str:
    """Run a playbook, which must succeed, with the values of the scenario; return its output."""
    inventories = ["-i", str(ROOT / "inventories/dev"), "-i", f"{os.environ['LAB_INVENTORY']}/dev.yml"]
    values = f"@{Path(__file__).parents[1] / 'vars/main.yml'}"
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible-playbook", *inventories, "-e", values, f"playbooks/{name}.yml"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def check_dag() -> Iterator[None]:
    """Put the DAG of check.yml where a release would bring it, and leave the folder empty again."""
    source = (ROOT / "roles/dag_release/files/airflow_ops_check.py").read_text()
    for name in SERVICES:
        on(name).check_output(f"echo %s | sudo -u airflow tee {HOME}/dags/airflow_ops_check.py", source)
    yield
    for name in SERVICES:
        on(name).check_output(f"sudo sh -c 'cd {HOME}/dags && rm -rf airflow_ops_check.py __pycache__'")


def test_the_web_server_speaks_https_alone() -> None:
    web, certificate = on("mn01d"), "/etc/airflow-https/certificate.pem"
    verify = f"-CAfile {certificate} -verify_return_error -verify_hostname mn01d"
    shown = web.check_output(f"openssl s_client -connect mn01d:8080 {verify} </dev/null")
    assert "Verify return code: 0 (ok)" in shown
    get = "python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)' %s"
    assert web.run(get, "http://mn01d:8080/health").rc != 0
    assert web.check_output(f"SSL_CERT_FILE={certificate} {get}", "https://mn01d:8080/health") == "200"


@pytest.mark.usefixtures("check_dag")
def test_status_and_check_work_over_https() -> None:
    assert "webserver  active since" in playbook("status")
    assert "dn01d: ran on dn01d in" in playbook("check")


def test_a_killed_service_is_back_without_leftovers(host: Host, services: list[str]) -> None:
    name = services[0]  # scheduler or worker; a web server under SIGKILL is the same mechanism
    before = properties(host, name)
    pids = host.check_output(
        f"cat /sys/fs/cgroup/systemd{before['ControlGroup']}/cgroup.procs"
        f" 2>/dev/null || cat /sys/fs/cgroup{before['ControlGroup']}/cgroup.procs"
    ).split()
    with host.sudo():
        host.run_expect([0], f"kill -9 {before['MainPID']}")
    after = wait_for_another_process(host, name, before["MainPID"])
    assert int(after["NRestarts"]) == int(before["NRestarts"]) + 1
    assert not [pid for pid in pids if host.file(f"/proc/{pid}/stat").exists]


def test_a_stale_pid_file_does_not_keep_the_web_server_from_starting() -> None:
    host = on("mn01d")
    before = properties(host, "webserver")
    with host.sudo():
        # After a crash the pid may belong to another process, here to systemd itself.
        host.run_expect([0], "sh -c 'echo 1 > /run/airflow-webserver/gunicorn.pid'")
        host.run_expect([0], f"kill -9 {before['MainPID']}")
    wait_for_another_process(host, "webserver", before["MainPID"])
    until = time.monotonic() + 60
    while (pid := host.file("/run/airflow-webserver/gunicorn.pid")).exists is False and time.monotonic() < until:
        time.sleep(PAUSE)
    assert pid.content_string.strip() != "1"
