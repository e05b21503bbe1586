"""Three hundred connections of every type that the providers know, and awkward ones."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from lab.two_sides import BACKUPS, HOSTS, SECRET, Sides
from tests.integration.conftest import watched_processes


def meant(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what a task means by a connection: empty is nothing, and extra is its content."""
    shown = {name: value or None for name, value in fields.items()}
    with suppress(ValueError):
        shown["extra"] = json.loads(fields["extra"] or "{}") or None
    return shown


def for_dev(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a connection of prod as the table of hosts makes it."""
    after = dict(fields)
    for name in ("host", "extra"):
        for old, new in HOSTS.items():
            after[name] = after[name].replace(old, new) if after[name] else after[name]
    return after


def test_dev_loads_what_prod_loads_after_the_rules(sides: Sides) -> None:
    sides.seed(300)
    with watched_processes() as processes:
        run = sides.sync()
    assert "300 created, 0 updated, 0 deleted" in run.words
    assert "dev has no provider for the type 'a_type_of_no_provider'" in run.words
    assert SECRET not in run.said
    assert len(processes) > 20
    assert not [line for line in processes if SECRET in line]
    prod, dev = (sides.loaded(cluster) for cluster in (sides.prod, sides.dev))
    assert len(prod) == 300
    assert len({fields["conn_type"] for fields in prod.values()}) > 10
    assert {name: meant(fields) for name, fields in dev.items()} == {
        name: meant(for_dev(fields)) for name, fields in prod.items()
    }
    second = sides.sync()
    assert "0 created, 0 updated, 0 deleted, 300 unchanged" in second.words
    assert second.changes == 0
    starts = [said.count("Using module file") for said in (run.said, second.said)]
    assert starts == [3, 2]  # of Airflow: an export on each side, and the changes


def test_what_dev_has_of_its_own_stays_and_what_was_edited_there_follows_prod(sides: Sides) -> None:
    sides.sync()
    sides.add(sides.dev, {"conn_id": "only_dev", "conn_type": "http", "host": "mn01d", "password": SECRET})
    sides.dev.sql("update connection set login = 'edited' where port = 1016")
    sides.dev.sql("update connection set description = '' where port = 1017")
    sides.prod.sql("update connection set password = null where port = 1018")
    sides.seeded = sides.table(sides.prod)
    run = sides.sync()
    assert "0 created, 2 updated, 0 deleted, 18 unchanged, 0 protected, 1 left alone" in run.words
    assert "login edited user16" in run.words
    assert "password (secret) (none)" in run.words
    assert sides.dev.sql("select password from connection where port = 1018") == [["NULL"]]
    assert "leave connection only_dev" in run.words
    pruned = sides.sync(connection_sync_prune=True, connection_sync_protect=[{"id": "none"}])
    assert "delete connection only_dev" in pruned.words
    assert len(sides.table(sides.dev)) == 20


def test_passwords_and_fields_that_belong_to_dev(sides: Sides) -> None:
    sides.sync()
    first, second, third = sorted(sides.loaded(sides.dev))[17:20]
    for name in (first, second):
        sides.dev.sql(f"delete from connection where conn_id = '{name}'")
        sides.add(sides.dev, {"conn_id": name, "conn_type": "http", "host": "mine", "password": "dev-own"})
    sides.sync(
        connection_sync_target_passwords=[first],
        connection_sync_protect=[{"id": second, "fields": ["host", "password"]}],
        connection_sync_vault_passwords=[third],
        connection_sync_passwords={third: "of-the-vault"},
    )
    found = sides.loaded(sides.dev)
    assert (found[first]["password"], found[first]["host"]) == ("dev-own", "mn01d")
    assert (found[second]["password"], found[second]["host"], found[second]["login"]) == ("dev-own", "mine", "user18")
    assert found[third]["password"] == "of-the-vault"


def test_variables_and_pools(sides: Sides) -> None:
    sides.add(
        sides.prod,
        {"key": "plain", "val": "http://mn01p:80", "description": "한글"},
        {"key": "api_token", "val": SECRET},
        {"key": "wrapped", "val": '{"value": 1}'},
        model="Variable",
    )
    pool = {"pool": "sftp", "slots": 3, "description": "수신", "include_deferred": True}
    sides.add(sides.prod, pool, model="Pool")
    try:
        run = sides.sync(connection_sync_kinds=["variables", "pools"])
        again = sides.sync(connection_sync_kinds=["variables", "pools"])
        pools = sides.dev.sql("select slots, hex(description), include_deferred from slot_pool where pool = 'sftp'")
        variables = sides.dev.sql("select `key`, hex(description) from variable order by `key`")
    finally:
        for cluster in (sides.prod, sides.dev):
            cluster.sql("delete from variable where `key` in ('plain', 'api_token', 'wrapped')")
            cluster.sql("delete from slot_pool where pool = 'sftp'")
    assert "create variable plain value - http://mn01d:80" in run.words
    assert SECRET not in run.said
    assert again.changes == 0
    assert pools == [["3", hexadecimal("수신"), "1"]]
    assert variables == [["api_token", "NULL"], ["plain", hexadecimal("한글")], ["wrapped", "NULL"]]
    assert sides.table(sides.dev) == []


def hexadecimal(text: str) -> str:
    return text.encode().hex().upper()


def test_back_to_the_backup_to_the_letter(sides: Sides) -> None:
    rows = [{"conn_id": "old", "conn_type": "http", "host": "", "password": SECRET, "extra": '{"b":  1, "a": 2}'}]
    sides.add(sides.dev, *rows)
    before = sides.loaded(sides.dev)
    sides.sync(connection_sync_prune=True)
    assert "old" not in sides.loaded(sides.dev)
    synced = sides.loaded(sides.dev)
    newest = sides.backups()[-1]
    run = sides.restore()
    assert sides.loaded(sides.dev) == before
    assert SECRET not in run.said
    sides.restore("-e", f"connection_sync_backup={sides.backups()[-1]}")
    assert sides.loaded(sides.dev) == synced
    assert newest in sides.backups()
    assert sides.dev.ssh("mn01d", f"sudo head -c 14 {BACKUPS}/{newest}").stdout == "$ANSIBLE_VAULT"
