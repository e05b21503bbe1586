"""Records: private, without secrets, not for ever; and how a run is resumed from one."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.cli.library import Order, new_record
from airflow_ops.cli.records import KEEP, KEEP_DAYS, Record, Records, new_id, state_folder
from airflow_ops.cli.runs import details, order_of, table
from airflow_ops.cli.secrets import HIDDEN, Scrubber, hidden
from airflow_ops.cli.values import BadValue
from airflow_ops.cli.verbs import BY_NAME

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=timezone.utc)


def record(name: str = "20260314T092600Z-0000", **more: Any) -> Record:
    values: dict[str, Any] = {"who": "me", "where": "here", "started": "now", "environment": "dev", "verb": "restart"}
    return Record(name, **{**values, "outcome": "failed", "exit_code": 2, **more})


def kept(folder: Path, *records: Record) -> Records:
    found = Records(folder)
    for one in records:
        found.new(one).close()
    return found


def test_only_the_account_itself_may_read(tmp_path: Path) -> None:
    records = kept(tmp_path / "state", record(new_id(datetime.now(timezone.utc))))
    for path in [tmp_path / "state", *(tmp_path / "state").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert records.find("last").verb == "restart"


def test_records_that_are_too_old_or_too_many_go(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(KEEP + 5):
        (records.folder / new_id(NOW - timedelta(minutes=number))).mkdir(parents=True)
    old = records.folder / new_id(NOW - timedelta(days=KEEP_DAYS + 1))
    old.mkdir()
    records.prune(NOW)
    assert not old.exists()
    assert len(list(records.folder.iterdir())) == KEEP - 1  # the next one is about to be made
    records.prune(NOW + timedelta(days=KEEP_DAYS + 1))
    assert list(records.folder.iterdir()) == []


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    one, two = (new_id(now - timedelta(seconds=seconds)) for seconds in (1, 2))
    records = kept(tmp_path, record(one), record(two))
    assert records.find(one[:16]).id == one
    assert records.find("last").id == one
    with pytest.raises(BadValue, match="2 runs with the id"):
        records.find(one[:8])
    (records.folder / one / "record.json").write_text("{")
    assert [found.id for found in records.all()] == [two]


@pytest.mark.parametrize(
    ("variables", "home"),
    [
        ({}, "~/.local/state/airflow-ops"),
        ({"XDG_STATE_HOME": "/x"}, "/x/airflow-ops"),
        ({"AIRFLOW_OPS_STATE": "/y"}, "/y"),
    ],
)
def test_where_they_lie(variables: dict[str, str], home: str) -> None:
    assert state_folder(variables) == Path(home).expanduser()


# A failure ends these before they reach the hosts of later batches and plays.
IN_BATCHES = ("site", "config", "start", "stop", "restart", "failover")
HOSTS = {"a": {"state": "failed"}, "b": {"state": "unreachable"}, "c": {"state": "changed"}}


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({"hosts": HOSTS, "verb": "fix-ownership"}, "a,b"),
        ({"hosts": {}, "limit": "datanodes", "verb": "fix-ownership"}, "datanodes"),
        ({"hosts": HOSTS, "verb": "deploy", "limit": ""}, ""),
        ({"hosts": HOSTS, "verb": "deploy", "limit": "dn01p"}, "dn01p"),
        *(({"hosts": HOSTS, "verb": verb, "limit": "datanodes"}, "datanodes") for verb in IN_BATCHES),
    ],
    ids=["the failed hosts", "no host failed", "all or none", "all or none of a limit", *IN_BATCHES],
)
def test_which_hosts_a_resumed_run_means(more: dict[str, Any], limit: str) -> None:
    assert order_of(record(**more)).limit == limit


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"exit_code": 0}, "nothing to resume"),
        ({"resumable": False}, "type the command again"),
        ({"verb": "gone"}, "gone is no verb"),
        ({"verb": "trigger"}, "trigger is not resumed: look at the DAG's runs .* starts another run"),
    ],
)
def test_what_cannot_be_resumed(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadValue, match=sentence):
        order_of(record(**more))


def test_what_people_read() -> None:
    assert table([]) == ["No run is recorded."]
    assert "restart --check" in table([record(check=True)])[1]
    host = {"state": "failed", "ok": 1, "changed": 0, "failed": 1}
    failure = {"host": "a", "role": "", "task": "t", "message": "m", "kind": ""}
    shown = details(record(hosts={"a": host}, failures=[failure], messages=["said"], variables={"x": [1]}))
    assert [line.strip() for line in shown[2:]] == [
        "x = [1]",
        "a: failed, 1 ok, 0 changed, 1 failed",
        "FAILED  a: t: m",
        "| said",
    ]


CONF = {"trigger_dag_conf": {"day": "2026-03-14", "api_key": "MARKER1", "deep": [{"Password": "MARKER2"}]}}


def test_values_that_look_secret_are_hidden() -> None:
    text = json.dumps(hidden(CONF))
    assert "MARKER" not in text
    assert text.count(HIDDEN) == 2
    assert hidden({"a": "mysql://me:MARKER@host/db"}) == {"a": f"mysql://me:{HIDDEN}@host/db"}


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("mysql://me:MARKER@host/db", "MARKER"),
        ("mysql://me:A/MARKER@host/db", "A/MARKER"),
        ("amqp://me:A@MARKER@host:5672/airflow", "A@MARKER"),
        ('{"day": "2026-03-14", "password": "MARKER"}', "MARKER"),
        ('[{"url": "redis://:MARKER@host"}]', "MARKER"),
        ({"url": ["redis://:MARKER@host"]}, "MARKER"),
        ({"text": '{"api_key": "MARKER"}'}, "MARKER"),
    ],
    ids=["address", "slash", "at", "JSON text", "JSON list", "nested", "JSON in a value"],
)
def test_what_is_hidden_is_a_secret_in_texts_too_and_cannot_be_resumed(value: Any, secret: str) -> None:
    values = {"trigger_dag_conf": value}
    assert "MARKER" not in json.dumps(hidden(values))
    assert Scrubber(values)(f"it said {secret}") == f"it said {HIDDEN}"
    assert not new_record(Order(BY_NAME["deploy"], variables=values)).resumable


@pytest.mark.parametrize("value", ["http://host:8793/log", "{not JSON}", '{"day": 1}', "[1]", "me@example.com"])
def test_what_is_no_secret_stays(value: str) -> None:
    assert hidden({"trigger_dag_conf": value}) == {"trigger_dag_conf": value}
    assert new_record(Order(BY_NAME["deploy"], variables={"trigger_dag_conf": value})).resumable


def test_known_secrets_are_taken_out_of_texts() -> None:
    scrub = Scrubber(CONF)
    assert scrub("2026-03-14 MARKER1 and MARKER2") == f"2026-03-14 {HIDDEN} and {HIDDEN}"
    assert Scrubber({})("nothing to hide") == "nothing to hide"
