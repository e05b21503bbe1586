"""Dev is exactly as before or exactly as planned, whatever happens; one sentence says what did."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ansible_runner
import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from lab.two_sides import BACKUPS, HOSTS, SECRET, Run, Sides, end_statement, sessions, wait_for

HOME = "/usr/hmg/2.2.1.0-552/airflow"
SLEEPS = "User sleep"
LOCKED_READ = "%FROM connection%FOR UPDATE"
HELD = "start transaction; select count(*) from connection for update"
# The last row that a sync writes takes its time; all others are written by then.
SLOW = "create trigger slow after insert on connection for each row do sleep(if(new.port = 1019, 200, 0))"
RULES = f'{{"connection_sync_hosts": {str(HOSTS).replace(chr(39), chr(34))}}}'


@contextmanager
def dev_is_as_before(sides: Sides, heals: bool = True) -> Iterator[None]:
    """Give dev one connection of its own; afterwards it has that row alone, byte for byte, and the repeat succeeds.

    :param heals: whether the repeat is run; it takes seconds.
    """
    sides.add(sides.dev, {"conn_id": "own", "conn_type": "http", "password": SECRET})
    before = sides.table(sides.dev)
    yield
    assert sides.table(sides.dev) == before
    assert not heals or "20 created" in sides.sync(verbose=False).words


def fails(run: Run, *words: str) -> None:
    """Check that a run fails with these words and without a traceback."""
    assert run.process.returncode
    assert "Traceback" not in run.said
    for word in words:
        assert word in run.words, run.said


def start(sides: Sides) -> Run:
    return sides.start("-e", RULES)


@pytest.mark.parametrize("side", ["prod", "dev"])
def test_the_database_is_down(sides: Sides, side: str) -> None:
    cluster: Cluster = getattr(sides, side)
    with dev_is_as_before(sides), services_survive(sides.prod):
        cluster.ssh(cluster.database, "sudo systemctl stop mariadb")
        try:
            run = sides.sync(check=False)
        finally:
            cluster.ssh(cluster.database, "sudo systemctl start mariadb")
        fails(run, f"{cluster.scheduler} of {side}: The metadata database does not answer", "Nothing was changed")


def test_the_database_of_prod_stops_during_the_export(sides: Sides) -> None:
    with dev_is_as_before(sides), services_survive(sides.prod):
        with sides.gate(sides.prod, "lock tables connection write", "SELECT connection%") as waited:
            run = start(sides)
            waited()
            sides.prod.ssh(sides.prod.database, "sudo systemctl kill -s KILL mariadb")
            assert run.end()
        wait_for(
            lambda: sides.prod.ssh("mn01p", "sudo mariadb -e 'select 1'", check=False).returncode == 0, "it is back"
        )
        fails(run, "mn02p of prod: The metadata database does not answer", "Nothing was changed")


@contextmanager
def services_survive(cluster: Cluster) -> Iterator[None]:
    """Wait in the end until the services of the scheduler host that ran before run again."""
    look = "systemctl list-units --plain --no-legend --state active 'airflow-*.service' | cut -d' ' -f1"
    before = cluster.ssh(cluster.scheduler, look).stdout.split()
    yield
    wait_for(lambda: set(before) <= set(cluster.ssh(cluster.scheduler, look).stdout.split()), "services", 120)


@contextmanager
def slow_writes(cluster: Cluster) -> Iterator[Callable[[], None]]:
    """Let the last row take its time; yield what waits until a run is there, with all others written."""
    cluster.sql(SLOW)
    try:
        yield lambda: wait_for(lambda: bool(sessions(cluster, "%", SLEEPS)), "all but one row are written")
    finally:
        end_statement(cluster, "%", SLEEPS)
        cluster.sql("drop trigger slow")


def test_the_database_of_dev_stops_while_it_is_written(sides: Sides) -> None:
    with dev_is_as_before(sides):
        with slow_writes(sides.dev) as waited:
            run = start(sides)
            waited()
            sides.dev.ssh("mn01d", "sudo systemctl kill -s KILL mariadb")
            assert run.end()
            wait_for(
                lambda: sides.dev.ssh("mn01d", "sudo mariadb -e 'select 1'", check=False).returncode == 0, "it is back"
            )
        fails(run, "mn01d of dev: The metadata database does not answer", "Nothing was changed")


def test_killed_between_backup_and_apply(sides: Sides) -> None:
    with dev_is_as_before(sides):
        backups = len(sides.backups())
        with sides.gate(sides.dev, HELD, LOCKED_READ) as waited:
            run = start(sides)
            waited()
            assert len(sides.backups()) == backups + 1
            sides.dev.ssh("mn01d", f"sudo kill -9 {sides.holder()['pid']}")
            assert run.end()
        fails(run, "mn01d of dev", "Either all of it was written or nothing")


def test_killed_between_apply_and_verify(sides: Sides) -> None:
    with dev_is_as_before(sides):
        with slow_writes(sides.dev) as waited:
            run = start(sides)
            waited()
            sides.dev.ssh("mn01d", f"sudo kill -9 {sides.holder()['pid']}")
            assert run.end()
        fails(run, "mn01d of dev", "Either all of it was written or nothing")


def test_the_controller_is_killed_while_dev_is_written(sides: Sides) -> None:
    """What was on its way comes to its end on the host: all of it, or nothing."""
    sides.add(sides.dev, {"conn_id": "own", "conn_type": "http"})  # a row to be locked
    with sides.gate(sides.dev, HELD, LOCKED_READ) as waited:
        run = start(sides)
        waited()
        os.killpg(run.process.pid, signal.SIGKILL)
        run.end()
    wait_for(lambda: sides.holder() == {} or not sessions(sides.dev, LOCKED_READ), "the program on the host ends")
    wait_for(lambda: len(sides.table(sides.dev)) in (1, 21), "all or nothing")
    sides.sync(verbose=False)
    assert sides.sync(verbose=False).changes == 0


def test_two_at_once(sides: Sides) -> None:
    sides.add(sides.dev, {"conn_id": "own", "conn_type": "http"})  # a row to be locked
    with sides.gate(sides.dev, HELD, LOCKED_READ) as waited:
        first = start(sides)
        waited()
        second = sides.sync(check=False)
        holder = sides.holder()["who"]
    fails(second, f"{holder} holds /var/lib/airflow-ops/locks/connection_sync.json since", "Nothing was changed")
    assert first.end() == 0, first.said
    assert len(sides.table(sides.dev)) == 21


def test_somebody_edits_dev_after_the_plan(sides: Sides) -> None:
    sides.sync(verbose=False)
    sides.dev.sql("update connection set login = 'edited' where port = 1016")
    edit = "start transaction; update connection set login = 'edited again' where port = 1016"
    with sides.gate(sides.dev, edit, LOCKED_READ, then="commit") as waited:
        run = start(sides)
        waited()
    assert run.end()
    fails(run, "Somebody else has changed c0016", "Nothing was changed")
    assert sides.dev.sql("select login from connection where port = 1016") == [["edited again"]]


@pytest.mark.parametrize("full", [False, True], ids=["no space for the backup", "no space at all"])
def test_the_disk_is_full(sides: Sides, full: bool) -> None:
    with dev_is_as_before(sides):
        if full:
            subprocess.run([REPOSITORY / "lab/lab", "fill", "mn01d"], check=True)
        else:
            sides.dev.ssh("mn01d", f"sudo mkdir -p {BACKUPS} && sudo mount -t tmpfs -o size=4k none {BACKUPS}")
            sides.dev.ssh("mn01d", f"head -c 4096 /dev/zero | sudo tee {BACKUPS}/full >/dev/null")
        try:
            run = sides.sync(check=False)
        finally:
            if full:
                subprocess.run([REPOSITORY / "lab/lab", "free", "mn01d"], check=True)
            else:
                sides.dev.ssh("mn01d", f"sudo umount {BACKUPS}")
        fails(run, "No usable temporary directory" if full else "No space left on device", "Nothing was changed")


@pytest.mark.parametrize("side", ["prod", "dev"])
def test_another_fernet_key(sides: Sides, side: str) -> None:
    cluster: Cluster = getattr(sides, side)
    with dev_is_as_before(sides, heals=False):
        other = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        cfg, copy = f"{HOME}/airflow.cfg", f"{HOME}/airflow.cfg.own"
        cluster.ssh(
            cluster.scheduler,
            f"sudo cp -p {cfg} {copy} && sudo sed -i 's|^fernet_key = .*|fernet_key = {other}|' {cfg}",
        )
        try:
            run = sides.sync(check=False)
        finally:
            cluster.ssh(cluster.scheduler, f"sudo mv {copy} {cfg}")
        fails(
            run, f"{cluster.scheduler} of {side}: The fernet_key of this host does not open", "written with another key"
        )


def test_another_version(sides: Sides) -> None:
    with dev_is_as_before(sides, heals=False):
        file = sides.dev.ssh(
            "mn01d", f"sudo ls {HOME}/venv/lib/python3.11/site-packages/airflow/__init__.py"
        ).stdout.strip()
        sides.dev.ssh("mn01d", f"sudo sed -i.own 's/^__version__ = .*/__version__ = \"2.11.1\"/' {file}")
        try:
            run = sides.sync(check=False)
        finally:
            sides.dev.ssh("mn01d", f"sudo mv {file}.own {file}")
        fails(run, "prod runs Airflow 2.11.2 and dev runs 2.11.1")


REFUSED = {
    "connection 'has blanks': Airflow takes ASCII letters": {"conn_id": "has blanks"},
    "connection '한글': Airflow takes ASCII letters": {"conn_id": "한글"},
    "connection 'OWN': own differs from it in upper and lower case only": {"conn_id": "OWN"},
    "asterisks instead of the value in masked (password)": {"conn_id": "masked", "password": "***"},
    "- unknown: host names dn09p": {"conn_id": "unknown", "host": "dn09p"},
}


def test_all_that_speaks_against_a_plan_is_told_at_once(sides: Sides) -> None:
    with dev_is_as_before(sides, heals=False):
        sides.add(sides.prod, *({"conn_type": "http", **row} for row in REFUSED.values()))
        try:
            run = sides.sync(check=False)
        finally:
            sides.prod.sql("delete from connection where conn_id not like 'c00%'")
        fails(run, "dev stays as it is, nothing was changed", *REFUSED)


def test_a_preview_changes_nothing_and_its_artifacts_hold_no_secret(sides: Sides, tmp_path: Path) -> None:
    inventories = [
        str(path)
        for name in ("prod", "dev")
        for path in (REPOSITORY / "inventories" / name, sides.dev.settings.inventory / f"{name}.yml")
    ]
    with dev_is_as_before(sides, heals=False):
        backups = sides.backups()
        run = ansible_runner.run(
            private_data_dir=str(tmp_path),
            project_dir=str(REPOSITORY),
            playbook="sync_meta.yml",
            inventory=inventories,
            cmdline=f"--check --diff -vvv -e '{RULES}'",
            envvars={
                "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
                "ANSIBLE_VAULT_PASSWORD_FILE": str(sides.dev.settings.vault_password),
            },
            quiet=True,
        )
        assert run.rc == 0
        assert "20 created, 0 updated, 0 deleted, 0 unchanged, 0 protected, 1 left alone" in " ".join(
            run.stdout.read().split()
        )
        assert sides.backups() == backups
    artifacts = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(artifacts) > 10
    assert [path for path in artifacts if SECRET in path.read_text(errors="replace")] == []


PROOF, IN_MEMORY = "/root/proof", "/dev/shm/dev/proof"  # what the search must find
SEARCH = f"""
sudo sh -c 'set -e; mkdir -p {Path(IN_MEMORY).parent}; umask 077; tee {PROOF} >{IN_MEMORY}'
sudo timeout 300 find / '(' -path /proc -o -path /sys ')' -prune -o -type f -exec grep -lsFf {PROOF} '{{}}' + | sort
echo "ended with ${{PIPESTATUS[0]}}"
sudo sh -c 'journalctl --no-pager | grep -cFf {PROOF}; rm -r {PROOF} {Path(IN_MEMORY).parent}'
"""
# Those of find: all was searched, or a file went away meanwhile or did not match; not that the time was up.
SEARCHED = ("ended with 0", "ended with 1")


def test_no_secret_was_said_or_left(both: Sides) -> None:
    """Looks at all that the runs of all tests have said, at the files and the journal of all hosts, and here."""
    assert len(both.runs) > 0
    assert [run.words for run in both.runs if SECRET in run.said] == []
    for cluster, hosts in ((both.prod, ("mn01p", "mn02p")), (both.dev, ("mn01d",))):
        for host in hosts:
            *found, ended, journal = cluster.ssh(host, SEARCH, check=False, stdin=SECRET).stdout.splitlines()
            assert ended in SEARCHED, host
            assert (found, journal) == ([IN_MEMORY, PROOF], "0"), host
    here = subprocess.run(
        ["grep", "-rlF", SECRET, Path.home() / ".ansible"], capture_output=True, text=True, check=False
    )
    assert here.stdout == ""
