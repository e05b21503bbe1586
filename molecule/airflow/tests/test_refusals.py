"""What the role refuses, and that airflow cannot have root follow a link out of its folders; all on one host."""

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
HOME = "/usr/hmg/2.2.1.0-552/airflow"
LOGS = "/var/log/airflow/scheduler"
OF_ROOT = "/etc/planted"


def ansible(module: str, arguments: str, **variables: object) -> tuple[int, str]:
    """Run a module on one host, as a playbook would; return exit code and output in one line."""
    inventories = ["-i", str(ROOT / "inventories/dev"), "-i", f"{os.environ['LAB_INVENTORY']}/dev.yml"]
    command = ["ansible", *inventories, HOST, "-m", module, "-a", arguments, "-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def role(tasks: str, **variables: object) -> tuple[int, str]:
    """Run a task file of the role on one host."""
    return ansible("include_role", f"name=airflow tasks_from={tasks}", **variables)


@pytest.fixture
def host() -> Host:
    """Return the host on which a test plants something, whichever hosts the scenario names."""
    return testinfra.get_host(f"ssh://{HOST}", ssh_config=os.environ["LAB_SSH_CONFIG"])


@pytest.fixture
def powerful(host: Host) -> Iterator[str]:
    """Make an account that may use sudo, by its group."""
    host.check_output("sudo useradd --groups sudo powerful")
    yield "powerful"
    host.check_output("sudo userdel powerful 2>/dev/null")


def test_an_account_that_may_use_sudo_is_refused(host: Host, powerful: str) -> None:
    code, output = role("run_as_users", airflow_run_as_users=["spark", powerful])
    assert code == 2
    assert f"Account powerful may use sudo on {HOST} itself ((ALL : ALL) ALL)" in output
    assert "Account spark" not in output
    assert host.run("sudo grep powerful /etc/sudoers.d/airflow-run-as").rc == 1


@pytest.mark.parametrize(
    ("account", "found"),
    [
        pytest.param("stranger", "no such user", id="missing"),
        pytest.param("mbsadmin", "(mbsadmin", id="not in the group"),
    ],
)
def test_an_account_of_the_site_must_exist_and_be_in_the_group(account: str, found: str) -> None:
    code, output = role("account", airflow_user=account, airflow_create_account=False)
    assert code == 2, output
    assert f"Account {account} does not exist on {HOST} or is not in group hadoop" in output
    assert found in output


@pytest.fixture
def of_root(host: Host) -> Iterator[Host]:
    """Make a folder with a file that belong to root; afterwards put the folders of Airflow right again."""
    host.check_output(
        f"sudo install -d -m 711 {OF_ROOT} && echo of root | sudo install -m 600 /dev/stdin {OF_ROOT}/file"
    )
    yield host
    host.check_output(f"sudo rm -rf {OF_ROOT} {HOME}/config_digests")
    host.check_output(f"sudo find {HOME}/dags {LOGS} -maxdepth 0 -type l -delete")
    assert role("directories")[0] == role("cluster")[0] == 0


def untouched(host: Host) -> bool:
    """Tell whether what belongs to root is as it was."""
    found = host.check_output(f"sudo sh -c 'cd {OF_ROOT} && stat -c %n:%U:%G:%a . * && cat file'")
    return found.split("\n") == [".:root:root:711", "file:root:root:600", "of root"]


def test_root_follows_no_link_of_airflow(of_root: Host) -> None:
    links = {"cluster.json": f"{OF_ROOT}/file", "config_digests": OF_ROOT, "dags": OF_ROOT, LOGS: OF_ROOT}
    for path, target in links.items():
        of_root.check_output(f"sudo -u airflow sh -c 'cd {HOME} && rm -rf {path} && ln -s {target} {path}'")
    code, output = role("cluster")
    assert code == 0, output
    assert untouched(of_root)
    assert of_root.check_output(f"sudo stat -c %F {HOME}/cluster.json") == "regular file"
    code, output = role("directories")
    assert code == 2 and output.count("msg: chgrp failed") == 2, output
    files = [{"path": f"{HOME}/config_digests/worker", "content": "x"}]
    code, output = ansible("airflow_files", json.dumps({"files": files, "owner": "airflow", "group": "hadoop"}))
    assert code == 2, output
    assert "A file of airflow:hadoop cannot be written" in output and "Permission denied" in output
    assert untouched(of_root)
