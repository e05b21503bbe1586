"""What an admin wrote by hand on a host is kept before it is replaced; airflow makes root copy nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
import yaml
from testinfra.host import Host

from airflow_ops import airflow_options, cfg_check
from lab.airflow_cluster import Cluster
from tests.integration.recap import changed_by_host

ROOT = Path(__file__).parents[3]
CLUSTER = Cluster.named("dev")
HOST = "dn01d"
HOME = "/usr/hmg/2.2.1.0-552/airflow"
CFG, WEB, ENVIRONMENT = f"{HOME}/airflow.cfg", f"{HOME}/webserver_config.py", "/etc/airflow/airflow.env"
KEPT = "/var/lib/airflow-ops-files/edited"
VARIABLES = f"@{ROOT}/molecule/airflow_config/vars/main.yml"
MARK = "# by hand"


@pytest.fixture
def host() -> Iterator[Host]:
    """Return the one host on which files are edited; afterwards no copy is left, and all is as the role wants it."""
    host = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(CLUSTER.settings.ssh_config), sudo=True)
    yield host
    host.check_output(f"rm -rf {KEPT}")
    configure()


def configure(*arguments: str) -> tuple[str, int]:
    """Run the role on the host; return what it said, in one line, and how much it changed."""
    playbook = "molecule/airflow_config/converge.yml"
    run = CLUSTER.playbook(playbook, "-l", HOST, "-e", VARIABLES, *arguments)
    return " ".join((run.stdout + run.stderr).split()), changed_by_host(run)[HOST]


def base() -> str:
    """Write the environment of Airflow; return what Ansible said, in one line."""
    run = CLUSTER.playbook("molecule/airflow_install/prepare.yml", "-l", HOST)
    return " ".join((run.stdout + run.stderr).split())


def copies(host: Host) -> dict[str, str]:
    """Return the copies by the file of which they are."""
    found = host.run(f"cd {KEPT} && find . -type f").stdout.split()
    return {f"{KEPT}/{name[2:]}": host.check_output(f"cat {KEPT}/{name}") for name in found}


def test_an_edited_configuration_is_kept(host: Host) -> None:
    for path in (CFG, WEB):
        host.check_output(f"echo '{MARK}' >> {path}")
    edited = {path: host.check_output(f"cat {path}") for path in (CFG, WEB)}
    output, changes = configure("--check", "--diff")
    for path in (CFG, WEB):
        assert f"On {HOST} {path} was changed by hand since it was last written; what it holds would be kept" in output
    assert changes and copies(host) == {}
    output, _ = configure("--diff")
    found = copies(host)
    assert sorted(found.values()) == sorted(edited.values())
    for copy, text in found.items():
        path = next(path for path in (CFG, WEB) if copy.startswith(f"{KEPT}{path}/"))
        assert text == edited[path]
        assert f"{path} was changed by hand since it was last written; what it held is kept in {copy}." in output
    assert host.check_output(f"find {KEPT} -type f -printf '%U:%m\\n' | sort -u") == "0:600"
    assert host.run(f"sudo -u airflow ls {KEPT}").rc != 0
    assert MARK not in host.check_output(f"cat {CFG} {WEB}")
    secrets = CLUSTER.secrets()
    assert not [text for name, text in secrets.items() if isinstance(text, str) and text in output], "secrets shown"
    output, changes = configure()
    assert (changes, "by hand" in output, copies(host)) == (0, False, found)


def test_a_change_of_the_inventory_keeps_nothing(host: Host) -> None:
    output, changes = configure("-e", json.dumps({"airflow_config_parallelism": 9}))
    assert changes and "by hand" not in output
    assert copies(host) == {}


def test_the_edited_environment_is_kept(host: Host) -> None:
    host.check_output(f"echo '{MARK}' >> {ENVIRONMENT}")
    output = base()
    ((copy, text),) = copies(host).items()
    assert MARK in text
    assert f"{ENVIRONMENT} was changed by hand since it was last written; what it held is kept in {copy}." in output
    assert MARK not in host.check_output(f"cat {ENVIRONMENT}")


def test_root_copies_nothing_that_airflow_links_to(host: Host) -> None:
    host.check_output(f"sudo -u airflow ln -sf /etc/shadow {CFG}")
    _, changes = configure()
    assert changes and copies(host) == {}
    assert host.check_output(f"stat -c '%F %U %a' {CFG}") == "regular file airflow 600"
    assert host.check_output("stat -c '%U %a' /etc/shadow") == "root 640"


def test_the_table_of_options_is_that_of_the_installed_airflow(host: Host) -> None:
    program = Path(cfg_check.__file__).read_text("utf-8") + PRINT
    environment = f"AIRFLOW_HOME={HOME} AIRFLOW_CONFIG=/dev/null _AIRFLOW__AS_LIBRARY=1"
    said = host.check_output(f"sudo -u airflow env {environment} {HOME}/venv/bin/python -c %s", program)
    rules = yaml.safe_load(said.partition("ANSWER")[2])
    table = airflow_options.load(ROOT / f"roles/airflow_config/files/airflow-{rules['version']}.yml")
    assert rules["options"] == {section: sorted(options) for section, options in table["options"].items()}
    assert rules["renamed"] == sorted([*old, *new] for old, new in table["renamed"].items())


PRINT = """
import json
rules = installed_rules()
options = {section: sorted(found) for section, found in rules["options"].items() if found}
renamed = sorted([*old, *new] for old, new in rules["renamed"].items())
print("ANSWER" + json.dumps({"version": rules["version"], "options": options, "renamed": renamed}))
"""
