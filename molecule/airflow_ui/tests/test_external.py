"""Servers that somebody else runs: the check before a migration says in one sentence what is wrong with them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from lab.airflow_cluster import Cluster

CLUSTER = Cluster.named("dev")
HOST = "dn01d"  # which looks at the servers, over the network
OWNER, READER = "owner", "reader"
PASSWORD = "for-the-test"
SITE = f"""
CREATE DATABASE legacy CHARACTER SET utf8mb3;
CREATE DATABASE western CHARACTER SET latin1;
GRANT ALL ON legacy.* TO {OWNER}@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON western.* TO {OWNER}@'%';
GRANT SELECT ON airflow.* TO {READER}@'%' IDENTIFIED BY '{PASSWORD}';
"""
NO_SITE = f"""
DROP DATABASE IF EXISTS legacy;
DROP DATABASE IF EXISTS western;
DROP USER IF EXISTS {OWNER}@'%', {READER}@'%';
"""
LOGIN_HINT = "see group_vars/<env>/metadata_db.yml, metadata_db_password in vault.yml, and the rights of the account."
BROKER_HINT = "see group_vars/<env>/broker.yml and broker_password in vault.yml."


def owned(name: str) -> dict[str, Any]:
    return {"metadata_db_name": name, "metadata_db_user": OWNER, "metadata_db_password": PASSWORD}


# The role, its variables, and what it says; nothing where the server is accepted. HOST is as the server calls it.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "database": ("metadata_db", {}, ""),
    "password of the database": (
        "metadata_db",
        {"metadata_db_password": "wrong"},
        "Cannot use the database airflow at mn01d:3306 as airflow: Access denied for user 'airflow'@'HOST' "
        f"(using password: YES) (error 1045 at connect); {LOGIN_HINT}",
    ),
    "name of the database": (
        "metadata_db",
        {"metadata_db_name": "nowhere"},
        "Cannot use the database nowhere at mn01d:3306 as airflow: Access denied for user 'airflow'@'HOST' "
        f"to database 'nowhere' (error 1044 at connect); {LOGIN_HINT}",
    ),
    "rights": (
        "metadata_db",
        {"metadata_db_user": READER, "metadata_db_password": PASSWORD},
        f"Cannot use the database airflow at mn01d:3306 as {READER}: DROP command denied to user '{READER}'@'HOST' "
        f"for table `airflow`.`airflow_ops_check` (error 1142 at DROP TABLE); {LOGIN_HINT}",
    ),
    "port of the database": (
        "metadata_db",
        {"metadata_db_port": 3399},
        f"{HOST} cannot reach the metadata database at mn01d:3399; see metadata_db_host and metadata_db_port in "
        "group_vars/dev/metadata_db.yml, the server, and the firewall between them.",
    ),
    "three-byte characters": ("metadata_db", owned("legacy"), ""),
    "Latin characters": (
        "metadata_db",
        owned("western"),
        "The database western at mn01d has the character set latin1, but Airflow needs utf8mb4; make it anew as "
        "utf8mb4 with collation utf8mb4_unicode_ci, or name another in metadata_db_name.",
    ),
    # An older server cannot be had here, so the wanted version rises.
    "version": (
        "metadata_db",
        {"__metadata_db_minimum_version": "99.1"},
        "The metadata database at mn01d is version VERSION, but Airflow 2.11.2 is supported on MariaDB 99.1 or newer; "
        "see metadata_db_host in group_vars/dev/metadata_db.yml.",
    ),
    "broker": ("broker", {}, ""),
    "password of the broker": (
        "broker",
        {"broker_password": "wrong"},
        "The broker at mn01d:5672 refuses the account airflow on airflow ((0, 0): (403) ACCESS_REFUSED - Login was "
        f"refused using authentication mechanism PLAIN. For details see the broker logfile.); {BROKER_HINT}",
    ),
    "virtual host": (
        "broker",
        {"broker_vhost": "nowhere"},
        "The broker at mn01d:5672 refuses the account airflow on nowhere (Connection.open: (530) NOT_ALLOWED - "
        f"vhost nowhere not found); {BROKER_HINT}",
    ),
    "port of the broker": (
        "broker",
        {"broker_port": 5699},
        f"{HOST} cannot reach the broker at mn01d:5699; see broker_host, broker_port and broker_allowed_hosts in "
        "group_vars/dev/broker.yml, the server, and the firewall between them.",
    ),
}


def case(name: str, folder: Path) -> dict[str, Any]:
    """Return the task that checks one server and leaves what the check says in a file."""
    role, values, _ = CASES[name]
    check = {"name": f"Check {name}", "ansible.builtin.include_role": {"name": role, "tasks_from": "check.yml"}}
    note = {"dest": str(folder / name), "content": "{{ ansible_failed_result.msg }}", "mode": "0600"}
    keep = {"name": f"Keep {name}", "ansible.builtin.copy": note, "delegate_to": "localhost", "become": False}
    return {"vars": {f"{role}_external": True, **values}, "block": [check], "rescue": [keep]}


@pytest.fixture(scope="module")
def server() -> Iterator[Host]:
    """Return the host of a server that holds what a site may have; it is removed in the end."""
    host = testinfra.get_host("ssh://mn01d", ssh_config=str(CLUSTER.settings.ssh_config), sudo=True)
    host.check_output("mariadb -e %s", NO_SITE + SITE)
    yield host
    host.check_output("mariadb -e %s", NO_SITE)


@pytest.fixture(scope="module")
def said(server: Host, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Check all servers in one run; return what each check said, and all output as ''."""
    folder = tmp_path_factory.mktemp("said")
    play = {"hosts": HOST, "gather_facts": False, "tasks": [case(name, folder) for name in CASES]}
    playbook = folder / "external.yml"
    playbook.write_text(json.dumps([play]))
    output = CLUSTER.playbook(str(playbook)).stdout
    version = CLUSTER.sql("SELECT VERSION()")[0][0]
    found = {file.name: file.read_text().replace(version, "VERSION") for file in folder.iterdir()}
    return {"": " ".join(output.split()), **{name: re.sub("@'[^']+'", "@'HOST'", text) for name, text in found.items()}}


@pytest.mark.parametrize(("name", "sentence"), [(name, said) for name, (_, _, said) in CASES.items()], ids=list(CASES))
def test_the_check_says(said: dict[str, str], name: str, sentence: str) -> None:
    assert said.get(name, "") == sentence


def test_a_database_with_three_byte_characters_is_accepted_with_a_warning(said: dict[str, str], server: Host) -> None:
    warning = "WARNING: the database legacy at mn01d is utf8mb3 and stays so: texts with four-byte characters"
    assert said[""].count(warning) == 1
    look = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'legacy'"
    assert server.check_output(f"mariadb -N -e {shlex.quote(look)}") == "utf8mb3"
