"""The metadata database as its users meet it: over TCP from another host, with each account."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from lab.airflow_cluster import Cluster

CLUSTER = Cluster.named("dev")
PASSWORD = CLUSTER.secrets()["metadata_db_password"]
ANALYST = "a%@/# 한글"
ROTATED = "r%@/# 한글:$HOME~x"
DUMPS = "/var/backups/airflow"
QUERY = """
import json, sys, MySQLdb
given = json.load(sys.stdin)
try:
    connection = MySQLdb.connect(host="mn01d", connect_timeout=5, charset="utf8mb4", autocommit=True, **given["login"])
    cursor = connection.cursor()
    cursor.execute(given["sql"])
    print(json.dumps(cursor.fetchall()))
except MySQLdb.Error as error:
    print(json.dumps({"refused": error.args[0]}))
"""
NO_SUCH_LOGIN = (1045, 1130)  # wrong password or account; no account at all from this host
NO_RIGHT = 1142


def host_named(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(CLUSTER.settings.ssh_config), sudo=True)


@pytest.fixture(scope="module")
def server() -> Host:
    return host_named("mn01d")


def ssh(host: str, command: str, stdin: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a host and hand it the secret on standard input: sudo writes arguments into the journal."""
    argv = ["ssh", "-F", str(CLUSTER.settings.ssh_config), host, command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def ask(host: str, user: str, password: str, sql: str, **login: object) -> object:
    """Run SQL from a host over TCP; the answer is the rows or the number of the error."""
    login = {"user": user, "password": password, "port": 3306, "database": "airflow", **login}
    done = ssh(host, f"python3 -c {shlex.quote(QUERY)}", json.dumps({"login": login, "sql": sql}))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(answer: object) -> int:
    assert isinstance(answer, dict), answer
    return int(answer["refused"])


@pytest.mark.parametrize("host", ["mn01d", "dn01d"])
def test_airflow_may_use_its_database_from_its_hosts(host: str) -> None:
    assert ask(host, "airflow", PASSWORD, "CREATE OR REPLACE TABLE probe (id INT PRIMARY KEY, t VARCHAR(9))") == []
    assert ask(host, "airflow", PASSWORD, "INSERT INTO probe VALUES (1, '한😀')") == []
    assert ask(host, "airflow", PASSWORD, "SELECT t FROM probe") == [["한😀"]]
    assert ask(host, "airflow", PASSWORD, "DROP TABLE probe") == []


def test_airflow_may_not_more() -> None:
    assert refused(ask("dn01d", "airflow", "wrong", "SELECT 1")) in NO_SUCH_LOGIN
    assert refused(ask("dn01d", "airflow", PASSWORD, "SELECT User FROM mysql.user")) == NO_RIGHT
    assert refused(ask("dn01d", "airflow", PASSWORD, "CREATE DATABASE other")) == 1044


def test_people_read_from_their_host_only() -> None:
    assert ask("dn01d", "analyst", ANALYST, "SELECT 1") == [[1]]
    assert refused(ask("dn01d", "analyst", ANALYST, "CREATE TABLE mine (id INT)")) == NO_RIGHT
    assert refused(ask("mn01d", "analyst", ANALYST, "SELECT 1")) in NO_SUCH_LOGIN


def test_a_network_and_the_right_to_write(server: Host) -> None:
    server.check_output("mariadb airflow -e 'CREATE OR REPLACE TABLE probe (id INT)'")
    assert ask("mn01d", "clerk", "for-the-test", "INSERT INTO probe VALUES (1)") == []
    assert refused(ask("mn01d", "clerk", "for-the-test", "DROP TABLE probe")) == NO_RIGHT
    assert refused(ask("dn01d", "clerk", "for-the-test", "SELECT 1")) in NO_SUCH_LOGIN
    server.check_output("mariadb airflow -e 'DROP TABLE probe'")


def character_set(server: Host, database: str) -> list[str]:
    """Return character set and collation of a database."""
    look = "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    return server.check_output("mariadb -N -e %s", f"{look} WHERE schema_name = '{database}'").split()


def test_server_is_what_airflow_needs(server: Host) -> None:
    variables = ("explicit_defaults_for_timestamp", "character_set_server", "collation_server", "max_connections")
    sql = "SELECT " + ", ".join(f"@@global.{name}" for name in variables)
    assert server.check_output(f"mariadb -N -e {shlex.quote(sql)}").split() == [
        "1",
        "utf8mb4",
        "utf8mb4_unicode_ci",
        "500",
    ]
    assert character_set(server, "airflow") == ["utf8mb4", "utf8mb4_unicode_ci"]


def dumps(server: Host, reason: str) -> list[str]:
    return sorted(name for name in server.file(DUMPS).listdir() if name.endswith(f"-{reason}.sql.gz"))


def test_dump_can_be_restored_elsewhere(server: Host) -> None:
    server.check_output("mariadb airflow -e \"CREATE OR REPLACE TABLE probe SELECT x'00ff80' AS b, '한😀%%' AS t\"")
    path = server.check_output("airflow-metadata-dump test")
    assert (server.file(path).mode, server.file(path).user) == (0o600, "root")
    server.check_output("mariadb -e 'CREATE OR REPLACE DATABASE restored'")
    server.check_output("zcat %s | mariadb restored", path)
    row = "(SELECT CONCAT(HEX(b), HEX(t)) FROM %s.probe)"
    same = f"SELECT {row % 'airflow'} = {row % 'restored'}"
    assert server.check_output("mariadb -N -e %s", same) == "1"
    server.check_output("mariadb -e 'DROP DATABASE restored; DROP TABLE airflow.probe'")


def test_each_reason_keeps_its_newest_dumps(server: Host) -> None:
    server.check_output("rm -f %s/*-test.sql.gz", DUMPS)
    for day in (1, 2, 3):
        server.check_output("touch %s/airflow-2020010%sT000000Z-test.sql.gz", DUMPS, str(day))
    server.check_output("touch %s/airflow-20200101T000000Z-other.sql.gz", DUMPS)
    newest = Path(server.check_output("airflow-metadata-dump test")).name
    assert dumps(server, "test") == ["airflow-20200103T000000Z-test.sql.gz", newest]
    assert dumps(server, "other") == ["airflow-20200101T000000Z-other.sql.gz"]
    server.check_output("rm %s/*-other.sql.gz", DUMPS)


def test_failed_dump_leaves_the_old_ones(server: Host) -> None:
    server.check_output("touch %s/.unfinished.killed", DUMPS)
    before = dumps(server, "test")
    done = server.run(
        "PATH=/tmp/no-dump:$PATH; mkdir -p /tmp/no-dump; printf '#!/bin/sh\\necho half\\n' >/tmp/no-dump/mariadb-dump;"
        " chmod +x /tmp/no-dump/mariadb-dump; airflow-metadata-dump test; rc=$?; rm -r /tmp/no-dump; exit $rc"
    )
    assert done.rc != 0
    assert "not complete" in done.stderr
    assert dumps(server, "test") == before
    assert [name for name in server.file(DUMPS).listdir() if name.startswith(".unfinished")] == []


def test_nightly_dump_is_due(server: Host) -> None:
    assert "airflow-metadata-dump.timer" in server.check_output("systemctl list-timers --no-legend")
    server.check_output("systemctl start airflow-metadata-dump.service")
    assert len(dumps(server, "nightly")) in (1, 2)


@pytest.mark.parametrize("secret", [PASSWORD, ANALYST], ids=["airflow", "analyst"])
def test_no_secret_lies_in_a_file(secret: str) -> None:
    places = "/etc /usr/local /run /var/log /var/backups /tmp /root /home"
    assert ssh("mn01d", f"sudo grep -rlsF -f - {places}", secret).stdout == ""


@pytest.fixture(scope="module")
def changed_cluster(server: Host) -> Iterator[str]:
    """The server after a run with another password, port and database and one host less; all is put back in the end."""
    server.check_output("mariadb -e 'CREATE OR REPLACE DATABASE legacy CHARACTER SET utf8mb3'")
    values = {
        "metadata_db_name": "legacy",
        "metadata_db_password": ROTATED,
        "metadata_db_port": 3310,
        "metadata_db_allowed_hosts": ["mn01d"],
        "metadata_db_clients": [{"name": name, "hosts": []} for name in ("analyst", "clerk")],
    }
    playbook = "molecule/metadata_db/converge.yml"
    watch = "for i in $(seq 3000); do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.1; done"
    server.check_output(
        f"nohup timeout 300 bash -c {shlex.quote(watch)} >/root/seen-arguments 2>/dev/null & echo $! >/root/watch-pid"
    )
    try:
        yield CLUSTER.playbook(playbook, "--limit", "mn01d", "-vvv", "--diff", "-e", json.dumps(values)).stdout
    finally:
        server.check_output("kill $(cat /root/watch-pid); rm -f /root/watch-pid /root/seen-arguments")
        server.check_output("mariadb -e 'DROP DATABASE legacy'")
        CLUSTER.playbook(playbook, "--limit", "mn01d")


def test_changes_take_effect(changed_cluster: str) -> None:
    assert ask("mn01d", "airflow", ROTATED, "SELECT 1", port=3310, database="legacy") == [[1]]
    assert refused(ask("mn01d", "airflow", PASSWORD, "SELECT 1", port=3310)) in NO_SUCH_LOGIN


def test_a_database_with_three_byte_characters_is_taken_over_as_it_is(changed_cluster: str, server: Host) -> None:
    warning = "WARNING: the database legacy at mn01d is utf8mb3 and stays so: texts with four-byte characters"
    assert warning in " ".join(changed_cluster.split())
    assert character_set(server, "legacy") == ["utf8mb3", "utf8mb3_general_ci"]


def test_host_and_person_that_left_are_shut_out(changed_cluster: str, server: Host) -> None:
    assert refused(ask("dn01d", "airflow", ROTATED, "SELECT 1", port=3310)) in NO_SUCH_LOGIN
    accounts = server.check_output(
        "mariadb -N -e %s", "SELECT CONCAT(User, '@', Host) FROM mysql.user WHERE User != 'root'"
    )
    address = CLUSTER.ssh("mn01d", "hostname -I").stdout.strip()
    assert set(accounts.split()) == {
        f"airflow@{address}",
        "airflow@127.0.0.1",
        "mysql@localhost",
        "mariadb.sys@localhost",
    }


def test_password_was_shown_nowhere(changed_cluster: str, server: Host) -> None:
    assert ROTATED not in changed_cluster
    assert json.dumps(ROTATED)[1:-1] not in changed_cluster
    assert server.file("/root/seen-arguments").size > 0
    assert ssh("mn01d", "sudo grep -qaF -f - /root/seen-arguments", ROTATED).returncode == 1
