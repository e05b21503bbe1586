"""What has to happen on the target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_ops.connection_sync.model import CONNECTIONS, KINDS, Fields, Items, Plan
from airflow_ops.connection_sync.plan import as_request, exactly, plan
from airflow_ops.connection_sync.rules import Rules
from tests.unit.connection_sync.rows import EMPTY, protect, row

HERE = {"mart": row(host="a", password="p")}


def told(made: Plan) -> list[tuple[str, ...]]:
    """Return what a plan says of each name, in short."""
    changes = [
        (change.action, change.name, *(change.fields if change.action == "update" else ())) for change in made.changes
    ]
    notes = [(word, note.name) for word in ("unchanged", "left", "refused") for note in getattr(made, word)]
    return sorted([*changes, *notes], key=lambda line: line[1])


@pytest.mark.parametrize(
    ("source", "target", "rules", "expected"),
    [
        pytest.param(HERE, {}, Rules(), [("create", "mart")], id="new"),
        pytest.param(HERE, HERE, Rules(), [("unchanged", "mart")], id="the same"),
        pytest.param({"a": row(host="")}, {"a": row()}, Rules(), [("unchanged", "a")], id="the same in another form"),
        pytest.param(HERE, {"mart": row(host="b", password="p")}, Rules(), [("update", "mart", "host")], id="host"),
        pytest.param(
            {"a": row()}, {"a": row(password="p")}, Rules(), [("update", "a", "password")], id="emptied password"
        ),
        pytest.param({"a": row({"x": 1})}, {"a": row({"x": 2})}, Rules(), [("update", "a", "extra")], id="extra"),
        pytest.param({}, HERE, Rules(), [("left", "mart")], id="only there"),
        pytest.param({}, HERE, Rules(prune=True), [("delete", "mart")], id="only there, pruned"),
        pytest.param({}, HERE, Rules(prune=True, exclude=("m*",)), [("left", "mart")], id="pruned but excluded"),
        pytest.param({}, HERE, Rules(prune=True, include=("x",)), [("left", "mart")], id="pruned but not included"),
        pytest.param({}, HERE, replace(protect("mart"), prune=True), [("left", "mart")], id="pruned but protected"),
        pytest.param(
            {"a": row(), "b": row()}, {}, Rules(include=("a",)), [("create", "a"), ("left", "b")], id="include"
        ),
        pytest.param(
            {"a": row(), "b": row()}, {}, Rules(exclude=("b*",)), [("create", "a"), ("left", "b")], id="exclude"
        ),
        pytest.param(HERE, {"mart": row(host="b")}, protect("m*"), [("left", "mart")], id="protected"),
        pytest.param(HERE, {}, protect("m*"), [("create", "mart")], id="protected, but not there"),
        pytest.param({"a b": row()}, {}, Rules(), [("refused", "a b")], id="id with a blank"),
        pytest.param({"a" * 201: row()}, {}, Rules(), [("refused", "a" * 201)], id="long id"),
        pytest.param({"한글": row()}, {}, Rules(), [("refused", "한글")], id="Korean id"),
        pytest.param({"Mart": row()}, {"mart": row()}, Rules(), [("refused", "Mart"), ("left", "mart")], id="case"),
        pytest.param(
            {"Mart": row(), "mart": row()}, {}, Rules(), [("refused", "Mart"), ("refused", "mart")], id="case here"
        ),
        pytest.param({"a": row(port=99999)}, {}, Rules(), [("refused", "a")], id="port too high"),
        pytest.param({"a": row(port="x")}, {}, Rules(), [("refused", "a")], id="port no number"),
        pytest.param({"a b": row()}, {}, Rules(exclude=("a b",)), [("left", "a b")], id="bad id, excluded"),
    ],
)
def test_plan(source: Items, target: Items, rules: Rules, expected: list[tuple[str, ...]]) -> None:
    assert told(plan(CONNECTIONS, source, target, rules)) == expected


@pytest.mark.parametrize(
    ("source", "target", "rules", "after"),
    [
        pytest.param(row(password="p"), row(password="d"), Rules(target_passwords=("m*",)), None, id="password kept"),
        pytest.param(
            row(host="a", password="p"),
            row(password="d"),
            Rules(target_passwords=("m*",)),
            row(host="a", password="d"),
            id="password kept, host not",
        ),
        pytest.param(
            row(password="p"),
            row(password="d"),
            Rules(vault_passwords=("mart",), passwords={"mart": "v"}),
            row(password="v"),
            id="password of the vault",
        ),
        pytest.param(
            row(host="a", login="x"),
            row(host="b", login="y"),
            protect("mart", "host"),
            row(host="b", login="x"),
            id="field kept",
        ),
        pytest.param(
            row({"a": 1, "b": 1}),
            row({"a": 2, "b": 2}),
            protect("mart", "extra.a"),
            row({"a": 2, "b": 1}),
            id="key kept",
        ),
        pytest.param(
            row({"a": 1, "b": 1}),
            row({"b": 2}),
            protect("mart", "extra.a"),
            row({"b": 1}),
            id="key that the target has not",
        ),
        pytest.param(
            row({"verify": 0, "b": 1}),
            row({"verify": False, "b": 2}),
            protect("mart", "extra.verify"),
            row({"verify": False, "b": 1}),
            id="false is kept, not 0",
        ),
        pytest.param(
            row({"b": 1}),
            row({"a": {"c": 2}, "b": 1}),
            protect("mart", "extra.a.c"),
            None,
            id="key that the source has not",
        ),
        pytest.param(
            row(host="", login="x"),
            row(host=None, login="y"),
            Rules(),
            row(host=None, login="x"),
            id="the form of the target stays",
        ),
    ],
)
def test_after(source: Fields, target: Fields, rules: Rules, after: Fields | None) -> None:
    made = plan(CONNECTIONS, {"mart": source}, {"mart": target}, rules)
    assert [change.after for change in made.changes] == ([] if after is None else [after])


def test_a_new_connection_whose_password_the_target_keeps_is_told() -> None:
    made = plan(CONNECTIONS, HERE, {}, Rules(target_passwords=("*",)))
    assert made.changes[0].after == row(host="a")
    assert "mart is new and gets no password" in made.warnings[0]


def test_what_was_kept_is_told() -> None:
    made = plan(CONNECTIONS, {"a": row(host="x")}, {"a": row(host="y")}, protect("a", "host", "login"))
    assert made.unchanged[0].reason == "host kept by connection_sync_protect"


@pytest.mark.parametrize(
    ("wanted", "target", "expected"),
    [
        pytest.param(HERE, HERE, [("unchanged", "mart")], id="the same"),
        pytest.param({"a": row(host="")}, {"a": row()}, [("update", "a", "host")], id="to the letter"),
        pytest.param({}, HERE, [("delete", "mart")], id="not in the backup"),
        pytest.param(HERE, {}, [("create", "mart")], id="gone since"),
    ],
)
def test_exactly(wanted: Items, target: Items, expected: list[tuple[str, ...]]) -> None:
    assert told(exactly(CONNECTIONS, wanted, target)) == expected


def test_the_default_pool_is_never_deleted() -> None:
    there: dict[str, Any] = {"default_pool": {"slots": 1, "description": None, "include_deferred": False}}
    assert told(plan(KINDS["pools"], {}, there, Rules(prune=True))) == [("left", "default_pool")]
    assert told(exactly(KINDS["pools"], {}, there)) == [("left", "default_pool")]


TEXTS = st.none() | st.text(max_size=8) | st.sampled_from(["mn01p", '{"a": 1}', '{"password": "x"}', "{", "null"])
ROWS = st.fixed_dictionaries(
    {name: st.none() | st.integers(0, 65535) if name == "port" else TEXTS for name in EMPTY if name != "conn_type"}
).map(lambda fields: {**EMPTY, **fields})
SIDES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), ROWS)


@given(source=SIDES, target=SIDES, prune=st.booleans(), guarded=st.sampled_from([(), ("host", "extra.a")]))
def test_after_the_changes_nothing_is_left_to_do(
    source: Items, target: Items, prune: bool, guarded: tuple[str, ...]
) -> None:
    rules = replace(protect("a", *guarded), prune=prune, hosts={"mn01p": "mn01d"}, target_passwords=("b",))
    there = dict(target)
    for change in as_request(plan(CONNECTIONS, source, target, rules)):
        assert there.get(change["name"]) == change["before"]
        there.pop(change["name"], None)
        if change["after"] is not None:
            there[change["name"]] = change["after"]
    assert plan(CONNECTIONS, source, there, rules).changes == ()
