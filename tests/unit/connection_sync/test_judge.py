"""What speaks against a plan, all of it in one message."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_ops.connection_sync.inventory import rules as rule_findings
from airflow_ops.connection_sync.inventory import sides
from airflow_ops.connection_sync.judge import Side, Surroundings, judged, packed, restored
from airflow_ops.connection_sync.model import Items, SyncError
from airflow_ops.connection_sync.rules import Protect, Rules
from airflow_ops.inventory_model import Host, Inventory
from tests.unit.connection_sync.rows import NO_RULES, row

AROUND = Surroundings(("mn01p", "192.0.2.11"), ("mn01d", "dn01d"))
RULES = Rules(production=("*[0-9]p", "*[0-9]p.*", "10.1.0.0/16"))


def side(environment: str, connections: Items, **fields: Any) -> Side:
    return replace(Side(environment, "2.11.2", f"airflow on {environment}", {"connections": connections}), **fields)


def refusal(came: Items, rules: Rules = RULES, **fields: Any) -> str:
    """Return why these rows of prod don't come to dev; '' where they do."""
    try:
        judged(side("prod", came), side("dev", {}, **fields), ["connections"], rules, AROUND)
    except SyncError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param({"a": row(host="mn01d")}, "", id="good"),
        pytest.param({}, "prod has no connections", id="empty export"),
        pytest.param({"a": row(host="mn01p")}, "- a: host names mn01p", id="host"),
        pytest.param({"a": row(host="MN09P.example.com")}, "- a: host names MN09P.example.com", id="glob"),
        pytest.param(
            {"a": row(host="http://192.0.2.11:80/")}, "- a: host names 192.0.2.11", id="address of a host of prod"
        ),
        pytest.param({"a": row(host="10.1.2.3")}, "- a: host names 10.1.2.3", id="network"),
        pytest.param({"a": row({"x": {"y": ["dn02p:9092"]}})}, "- a: extra.x.y.0 names dn02p", id="inside extra"),
        pytest.param({"a": row({"token": "https://mn01p/"})}, "- a: extra.token names mn01p", id="inside a secret"),
        pytest.param({"a": row({"api_token": "Winter-2024p"})}, "", id="a secret that looks like a host"),
        pytest.param({"a": row(host="http://u:Winter-2024p@x")}, "- a: host names ***", id="a login like a host"),
        pytest.param(
            {"a": row({"x": "Winter-2024p"}, password="Winter-2024p")}, "- a: extra.x names ***", id="a password"
        ),
        pytest.param({"a": row({"x": "http://mn09p,http://u:w@x"})}, "- a: extra.x names ***", id="before a login"),
        pytest.param({"a": row("Winter-2024p")}, "", id="an opaque text that looks like a host"),
        pytest.param({"a": row({"token": "kJ9p/mn01p"})}, "- a: extra.token names mn01p\nSay", id="only a whole host"),
        pytest.param({"a": row("broken mn01p")}, "- a: extra names mn01p", id="inside invalid JSON"),
        pytest.param({"a": row(host="sftp", login="etl01p", conn_type="ftp")}, "", id="words that end in p"),
        pytest.param(
            {"a": row(password="***")}, "asterisks instead of the value in a (password)", id="masked password"
        ),
        pytest.param(
            {"a": row({"token": "****"})}, "asterisks instead of the value in a (extra.token)", id="masked key"
        ),
        pytest.param({"a\nb": row()}, r"- connection 'a\\nb': Airflow takes", id="refused"),
    ],
)
def test_refusals(rows: Items, words: str) -> None:
    said = refusal(rows)
    assert "Winter" not in said
    assert (words in said) if words else (said == "")


def test_everything_is_told_at_once_with_lines_to_paste() -> None:
    said = refusal({"a": row(host="mn01p"), "b": row(host="dn07p.x"), "c d": row(), "e": row(password="***")})
    assert "dev stays as it is, nothing was changed." in said
    assert "2 things of dev would point at production" in said
    assert "connection_sync_hosts:\n  dn07p.x: HOST\n  mn01p: mn01d\nconnection_sync_allow: [a, b]" in said
    assert "'c d'" in said
    assert "e (password)" in said


def test_a_nameless_text_that_looks_like_a_host_is_told_without_it() -> None:
    came = {"mart": {"value": "Winter-2024p", "description": None}}
    source, target = (replace(side(name, {}), rows={"variables": came}) for name in ("prod", "dev"))
    with pytest.raises(SyncError, match=r"- mart: value names \*{3}") as told:
        judged(source, target, ["variables"], RULES, AROUND)
    assert "Winter" not in str(told.value)


def test_an_id_may_point_at_production_when_it_is_allowed() -> None:
    assert refusal({"a": row(host="mn01p")}, replace(RULES, allow=("a",))) == ""


def test_what_is_unchanged_on_the_target_is_guarded_too() -> None:
    same = {"a": row(host="mn01p")}
    assert "mn01p" in refusal(same, rows={"connections": same})


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        pytest.param(RULES, "- a: host names mn01p", id="only there"),
        pytest.param(replace(RULES, exclude=("a",)), "- a: host names mn01p", id="excluded"),
        pytest.param(replace(RULES, protect=(Protect("a"),)), "- a: host names mn01p", id="protected"),
        pytest.param(replace(RULES, allow=("a",)), "", id="allowed"),
        pytest.param(replace(RULES, prune=True), "", id="deleted"),
    ],
)
def test_what_the_target_has_of_its_own_is_guarded_too(rules: Rules, words: str) -> None:
    said = refusal({"b": row()}, rules, rows={"connections": {"a": row(host="mn01p")}})
    assert (words in said) if words else (said == "")


def test_versions_must_be_alike() -> None:
    assert "prod runs Airflow 2.11.2 and dev runs 2.10.5" in refusal({"a": row()}, version="2.10.5")


def test_one_database_is_not_two_sides() -> None:
    assert "both use the database airflow on prod" in refusal({"a": row()}, database="airflow on prod")


def test_a_type_without_provider_is_a_warning() -> None:
    made = judged(
        side("prod", {"a": row(conn_type="exotic"), "b": row(conn_type="mysql")}),
        side("dev", {}, types=("mysql",)),
        ["connections"],
        RULES,
        AROUND,
    )
    assert made.warnings == ("dev has no provider for the type 'exotic' of a.",)


def test_a_backup_leads_back() -> None:
    before = side("dev", {"a": row(host="x", password="ä\n")})
    made = restored(packed(before), side("dev", {"b": row()}))
    assert {change.name: change.action for change in made.changes} == {"a": "create", "b": "delete"}
    assert restored(packed(before), before).changes == ()


def test_a_backup_of_another_environment_is_refused() -> None:
    with pytest.raises(SyncError, match="This is a backup of prod and not of dev"):
        restored(packed(side("prod", {})), side("dev", {}))


def test_a_backup_goes_back_to_the_database_that_it_is_of() -> None:
    text = packed(side("dev", {}))
    with pytest.raises(SyncError, match="is of the database airflow on dev and dev uses airflow on prod; nothing"):
        restored(text, side("dev", {"a": row()}, database="airflow on prod"))


def test_a_preview_on_a_host_that_has_nothing_yet_shows_what_the_backup_holds() -> None:
    assert [change.action for change in restored(packed(side("dev", {"a": row()})), Side("dev")).changes] == ["create"]


def inventory(**variables: Any) -> Inventory:
    """Return two environments with the role's defaults and these variables on all hosts."""
    defaults = {f"connection_sync_{name}": value for name, value in NO_RULES.items()}
    common = {**defaults, "connection_sync_source": "prod", "connection_sync_target": "dev", **variables}
    hosts = {"mn02p": "prod", "mn01d": "dev"}
    return Inventory(
        hosts={name: Host(name, {**common, "airflow_environment": env}) for name, env in hosts.items()},
        groups={"prod": ["mn02p"], "dev": ["mn01d"], "airflow_scheduler": list(hosts)},
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"connection_sync_source": "stage"}, ["source is 'stage'"], id="not loaded"),
        pytest.param({"connection_sync_source": "dev"}, ["both 'dev'"], id="the same"),
        pytest.param(
            {"connection_sync_target": "prod", "connection_sync_source": "dev"}, ["is never a target"], id="prod"
        ),
    ],
)
def test_sides(variables: dict[str, Any], words: list[str]) -> None:
    found = list(sides(inventory(**variables)))
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_sides_are_the_same_for_all_hosts() -> None:
    both = inventory()
    one = replace(both.hosts["mn01d"], variables={**both.hosts["mn01d"].variables, "connection_sync_source": "x"})
    (found,) = sides(replace(both, hosts={**both.hosts, "mn01d": one}))
    assert "connection_sync_source is 'x' in dev and 'prod' in prod" in found


def test_a_host_of_prod_in_another_environment_is_no_target() -> None:
    both = inventory()
    (found,) = sides(replace(both, groups={**both.groups, "prod": ["mn02p", "mn01d"]}))
    assert "is never a target" in found


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 0),
        ({"connection_sync_rewrite": [{"field": "host"}]}, 1),
        ({"connection_sync_rewrite": "text"}, 0),  # the types are told elsewhere
        ({"connection_sync_passwords": "text"}, 0),
    ],
)
def test_rules_are_looked_at_before_any_host(variables: dict[str, Any], count: int) -> None:
    prod, dev = sorted(inventory(**variables).environments(), key=lambda environment: environment.name != "prod")
    assert list(rule_findings(prod)) == []
    assert len(list(rule_findings(dev))) == count


def test_the_backup_is_json() -> None:
    assert json.loads(packed(side("dev", {})))["environment"] == "dev"
