"""What rules do to a row, and which rules can't work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_ops.connection_sync.model import CONNECTIONS, KINDS
from airflow_ops.connection_sync.rules import Rules, findings
from tests.unit.connection_sync.rows import NO_RULES, rewrite, row

HOSTS = Rules(hosts={"mn01p": "mn01d", "mn01p.example.com": "dev.example.com", "10.0.0.1": "10.9.0.1"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mn01p", "mn01d"),
        ("MN01P", "mn01d"),
        ("mn01p.example.com", "dev.example.com"),
        ("mn01p.other.com", "mn01p.other.com"),
        ("xmn01p", "xmn01p"),
        ("mn01p-2", "mn01p-2"),
        ("http://mn01p:8080/mn01px", "http://mn01d:8080/mn01px"),
        ("mn01p:9092,mn01p:9093", "mn01d:9092,mn01d:9093"),
        ("10.0.0.1", "10.9.0.1"),
        ("10.0.0.11", "10.0.0.11"),
        ("110.0.0.1", "110.0.0.1"),
        ("mn01p.", "mn01d."),
    ],
)
def test_the_table_of_hosts_takes_whole_names(before: str, after: str) -> None:
    assert HOSTS.translate(before) == after


@pytest.mark.parametrize(
    ("rules", "fields", "extra", "changed"),
    [
        pytest.param(HOSTS, {"host": "mn01p"}, None, {"host": "mn01d"}, id="host by table"),
        pytest.param(HOSTS, {"schema": "mn01p", "login": "mn01p"}, None, {}, id="table: not schema, not login"),
        pytest.param(HOSTS, {}, {"a": {"b": ["mn01p:1", 2]}}, {"extra": {"a": {"b": ["mn01d:1", 2]}}}, id="in lists"),
        pytest.param(HOSTS, {}, {"secret_url": "mn01p"}, {}, id="table: not in what looks secret"),
        pytest.param(HOSTS, {}, "server mn01p", {"extra": "server mn01d"}, id="invalid JSON"),
        pytest.param(rewrite("host", "x", exact="a"), {"host": "a"}, None, {"host": "x"}, id="exact"),
        pytest.param(rewrite("host", "x", exact="a"), {"host": "ab"}, None, {}, id="exact is the whole value"),
        pytest.param(rewrite("host", "x", glob="a*"), {"host": "ab"}, None, {"host": "x"}, id="glob"),
        pytest.param(
            rewrite("host", r"\1d", regex="(mn[0-9]+)p$"), {"host": "mn9p"}, None, {"host": "mn9d"}, id="regex"
        ),
        pytest.param(rewrite("port", "3307", exact="3306"), {"port": 3306}, None, {"port": 3307}, id="port"),
        pytest.param(rewrite("schema", "b", exact="a"), {"schema": "a"}, None, {"schema": "b"}, id="schema"),
        pytest.param(rewrite("login", "b", exact="a"), {"login": "a"}, None, {"login": "b"}, id="login"),
        pytest.param(rewrite("host", "x", id="z*", exact="a"), {"host": "a"}, None, {}, id="another id"),
        pytest.param(rewrite("host", "x", exact=""), {"host": None}, None, {}, id="nothing stays nothing"),
        pytest.param(
            rewrite("extra.a.b", "2", exact="1"), {}, {"a": {"b": 1}}, {"extra": {"a": {"b": 2}}}, id="number in extra"
        ),
        pytest.param(rewrite("extra.a.b", "2", exact="1"), {}, {"a": {"c": "1"}}, {}, id="another key"),
        pytest.param(
            rewrite("extra.a.b", "2", exact="1"), {}, {"a.b": "1"}, {"extra": {"a.b": "2"}}, id="key with a dot"
        ),
        pytest.param(
            rewrite("extra", "2", exact="1"),
            {},
            {"a": "1", "token": "1"},
            {"extra": {"a": "2", "token": "1"}},
            id="all of extra, not secrets",
        ),
        pytest.param(
            rewrite("extra.token", "2", exact="1"),
            {},
            {"token": "1"},
            {"extra": {"token": "2"}},
            id="a secret that is named",
        ),
        pytest.param(rewrite("extra.a", "2", exact="True"), {}, {"a": True}, {}, id="true is no text"),
    ],
)
def test_rewritten(rules: Rules, fields: dict[str, Any], extra: object, changed: dict[str, Any]) -> None:
    before = row(extra, **fields)
    after = rules.rewritten(CONNECTIONS, "mart", before)
    if isinstance(changed.get("extra"), dict):
        after["extra"] = json.loads(str(after["extra"]))
    assert after == {**before, **changed}


def test_an_untouched_extra_keeps_its_text() -> None:
    assert HOSTS.rewritten(CONNECTIONS, "mart", row('{"b":1,   "a": 2}'))["extra"] == '{"b":1,   "a": 2}'


def test_rules_follow_each_other() -> None:
    both = Rules(rewrite=rewrite("host", "b", exact="a").rewrite + rewrite("host", "c", exact="b").rewrite)
    assert both.rewritten(CONNECTIONS, "mart", row(host="a"))["host"] == "c"


def test_the_value_of_a_variable() -> None:
    before = {"value": '{"url": "http://mn01p"}', "description": None}
    assert HOSTS.rewritten(KINDS["variables"], "x", before)["value"] == '{"url": "http://mn01d"}'


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"rewrite": [{"field": "host", "exact": "a", "to": "b"}]}, "", id="good"),
        pytest.param({"rewrite": [{"field": "host", "exact": "a"}]}, "needs field, to, and one of", id="no to"),
        pytest.param({"rewrite": ["x"]}, "needs field, to, and one of", id="no dictionary"),
        pytest.param({"rewrite": [{"field": "host", "to": "b"}]}, "has no pattern", id="no pattern"),
        pytest.param(
            {"rewrite": [{"field": "host", "exact": "a", "glob": "a", "to": "b"}]},
            "has exact and glob",
            id="two patterns",
        ),
        pytest.param(
            {"rewrite": [{"field": "password", "exact": "a", "to": "b"}]}, "names the field 'password'", id="password"
        ),
        pytest.param({"rewrite": [{"field": "host", "regex": "(", "to": "b"}]}, "which Python refuses", id="regex"),
        pytest.param(
            {"rewrite": [{"field": "host", "regex": "a", "to": r"\2"}]}, "which Python refuses", id="no such group"
        ),
        pytest.param(
            {"rewrite": [{"field": "host", "exact": "a", "to": "b", "ids": "x"}]},
            "has ids, which no rule knows",
            id="unknown key",
        ),
        pytest.param({"protect": [{"fields": ["host"]}]}, "needs id", id="protect without id"),
        pytest.param({"protect": [{"id": "a", "fields": ["hosts"]}]}, "names the field 'hosts'", id="protected field"),
        pytest.param({"protect": [{"id": "a", "fields": ["extra.a.b", "password"]}]}, "", id="protected fields"),
        pytest.param({"production": ["10.0.0.0/99"]}, "neither a network", id="network"),
        pytest.param({"kinds": ["dags"]}, "kinds holds 'dags'", id="kind"),
        pytest.param({"vault_passwords": ["a"], "passwords": {"b": "x"}}, "has no password for a", id="vault"),
    ],
)
def test_findings(values: dict[str, Any], words: str) -> None:
    found = list(findings({**NO_RULES, **values}))
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_read() -> None:
    values = {
        **NO_RULES,
        "rewrite": [{"id": "a*", "field": "host", "glob": "x*", "to": "y"}],
        "protect": [{"id": "b"}, {"id": "c", "fields": ["host"]}],
        "prune": "true",
        "passwords": {"a": "secret"},
    }
    rules = Rules.read(values)
    assert (rules.rewrite[0].id, rules.rewrite[0].how, rules.prune) == ("a*", "glob", True)
    assert (rules.protected("b"), rules.protected("c"), rules.protected_fields("c")) == (True, False, ["host"])
