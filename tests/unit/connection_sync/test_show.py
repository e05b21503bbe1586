"""What people and machines see of a plan, and that no secret is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ops.connection_sync import show
from airflow_ops.connection_sync.model import CONNECTIONS, KINDS
from airflow_ops.connection_sync.plan import plan
from airflow_ops.connection_sync.rules import Rules
from airflow_ops.connection_sync.secret import Veil, facets
from tests.unit.connection_sync.rows import row

TABLE = """\
action  kind        name   field         now       then
create  connection  new    conn_type     -         mysql
                           password      -         (secret)
update  connection  old    host          mn02d     mn01d
                           password      (secret)  (secret, changed)
                           extra.token   (secret)  (none)
                           extra.region  eu        (none)
update  connection  clean  password      (secret)  (none)
leave   connection  mine                           only in the target, and connection_sync_prune is false
refuse  connection  a b                            Airflow takes ASCII letters, digits and . _ - in an id only"""


def test_table() -> None:
    source = {
        "new": row(password="secret-1"),
        "old": row(host="mn01d", password="secret-2"),
        "clean": row(),
        "a b": row(),
    }
    target = {
        "old": row({"token": "secret-4", "region": "eu"}, host="mn02d", password="secret-3"),
        "clean": row(password="secret-5"),
        "mine": row(),
    }
    made = plan(CONNECTIONS, source, target, Rules())
    lines = show.table(made).splitlines()
    assert sorted(lines) == sorted(TABLE.splitlines())
    assert show.report(made) == "1 created, 2 updated, 0 deleted, 0 unchanged, 0 protected, 1 left alone, 1 refused"


def test_nothing_to_show() -> None:
    assert show.table(plan(CONNECTIONS, {"a": row()}, {"a": row()}, Rules())) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@host:80/x", "http://***@host:80/x"),
        ("http://user:pa/ssword@host/x", "http://***@host/x"),
        ("http://user:p@ssword@host/x", "http://***@host/x"),
        ("user/pass@host:1521", "***@host:1521"),
        ("user:pass@host", "***@host"),
        ("kim@example.com", "kim@example.com"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/***"),
        ("https://example.com/api/webhooks/1/abc", "https://example.com/api/webhooks/***"),
        ("https://store/blob?sv=1&sig=abc", "https://store/blob?sv=1&sig=***"),
        ("http://host/?token=abc&x=1", "http://host/?token=***&x=1"),
        ("Server=a;Password=abc;Port=1", "Server=a;Password=***;Port=1"),
        ("two\nlines\x1b[31m", "two\\nlines\\u001b[31m"),
        ("x" * 70, "x" * 59 + "…"),
        ("holds known-secret inside", "holds *** inside"),
        ("한글 ok", "한글 ok"),
    ],
)
def test_shown_texts(text: str, shown: str) -> None:
    assert Veil(["known-secret", "x"]).show(text) == shown


@pytest.mark.parametrize(
    ("extra", "secret"),
    [
        pytest.param({"region": "eu"}, {"extra.region": False}, id="harmless"),
        pytest.param({"aws_secret_access_key": "x"}, {"extra.aws_secret_access_key": True}, id="by name"),
        pytest.param({"keyfile_dict": {"project": "x"}}, {"extra.keyfile_dict.project": True}, id="below a secret"),
        pytest.param({"a": {"b": [{"pwd": "x"}]}}, {"extra.a.b.0.pwd": True}, id="at depth"),
        pytest.param({"db_pw": "x", "webhook": "y"}, {"extra.db_pw": True, "extra.webhook": True}, id="pw, webhook"),
        pytest.param({"a": '[{"password": "x"}]'}, {"extra.a.0.password": True}, id="list in a text"),
        pytest.param({"a": {}}, {"extra.a": False}, id="an empty object is a value"),
        pytest.param({}, {}, id="no key"),
        pytest.param({"a": '{"password": "x"}'}, {"extra.a.password": True}, id="JSON in a text"),
        pytest.param("no json", {"extra": True}, id="invalid JSON may be anything"),
        pytest.param("[1]", {"extra": True}, id="no object"),
    ],
)
def test_what_looks_secret(extra: Any, secret: dict[str, bool]) -> None:
    found = facets(CONNECTIONS, "a", {"extra": extra if isinstance(extra, str) else json.dumps(extra)})
    assert {path: facet.secret for path, facet in found.items()} == secret


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("api_token", "1", {"value": True}),
        ("SMTP_PW", "1", {"value": True}),
        ("region", "Winter-2024", {"value": True}),  # nothing says what it is
        ("region", '"Winter"', {"value": True}),
        ("slots", "12", {"value": False}),
        ("since", "2026-11-27T00:00:00Z", {"value": False}),
        ("verify", "true", {"value": False}),
        ("nothing", "{}", {"value": False}),
        ("page", "http://mart/x", {"value": False}),
        ("folder", "/data/in", {"value": False}),
        ("mart", "mn01p.example.com", {"value": False}),
        ("mart", "mn01p:3306", {"value": False}),
        ("all", '[{"password": "x", "host": "y"}]', {"value.0.password": True, "value.0.host": False}),
        ("all", '["x", 1]', {"value.0": True, "value.1": False}),
        ("all", '{"region": "x"}', {"value.region": False}),
    ],
)
def test_a_variable_is_shown_where_its_name_or_form_says_that_it_is_harmless(
    name: str, value: str, secret: dict[str, bool]
) -> None:
    found = facets(KINDS["variables"], name, {"value": value})
    assert {path: facet.secret for path, facet in found.items()} == secret


MARKERS = st.integers(10**9, 10**10).map(lambda number: f"marker{number}")


@given(passwords=st.tuples(MARKERS, MARKERS), hidden=st.tuples(MARKERS, MARKERS), text=st.text(max_size=5))
def test_no_secret_is_shown(passwords: tuple[str, str], hidden: tuple[str, str], text: str) -> None:
    sides: list[dict[str, Any]] = [
        {
            "a": row({"token": hidden[side], "note": f"{text}{hidden[side]}"}, password=passwords[side], host=text),
            "b": row(f"{{{hidden[side]}", description=f"uses {passwords[side]}"),
            f"only{side}": row(password=passwords[side]),
        }
        for side in (0, 1)
    ]
    made = plan(CONNECTIONS, sides[0], sides[1], Rules(prune=True))
    for said in (show.table(made), json.dumps(show.as_data(made)), show.report(made)):
        assert "marker" not in said
