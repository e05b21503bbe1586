"""The types of values: one sentence for each, and nothing passes that Ansible's own check would refuse host by host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from airflow_ops.inventory_model import LATER, Input
from airflow_ops.inventory_types import KINDS, misfits

USER = Input(
    "list",
    elements="dict",
    options={
        "name": Input(required=True),
        "role": Input(choices=("Op", "User")),
        "hosts": Input("list", elements="str"),
        "slots": Input("int"),
    },
)
CASES: dict[str, tuple[Input, Any, list[str]]] = {
    "good": (USER, [{"name": "kim", "role": "Op", "hosts": ["a", 5], "slots": "3"}], []),
    "nothing": (USER, None, []),
    "nothing where there is a default": (
        Input("list", default=True),
        None,
        ["v is empty, give it [] or remove the line"],
    ),
    "nothing for a number": (Input("int", default=True), None, ["v is empty, give it a value or remove the line"]),
    "nothing for an entry": (
        Input("list", elements="str"),
        [None],
        ["v[0] is empty, give it a value or remove the line"],
    ),
    "nothing for a key": (
        Input("dict", options={"slots": Input("int", default=True), "note": Input()}),
        {"slots": None, "note": None},
        ["v.slots is empty, give it a value or remove the line"],
    ),
    "not known yet": (USER, [{"name": LATER, "slots": LATER, "role": LATER}, LATER], []),
    "no list": (USER, {"name": "kim"}, ["v must be a list, it is a dictionary"]),
    "no entry": (USER, ["kim"], ["v[0] must be a dictionary, it is text"]),
    "missing and unknown key": (
        USER,
        [{"nam": "kim"}],
        ["v[0] has 'nam', which no role knows (did you mean name?)", "v[0] lacks name"],
    ),
    "null for a key that must be": (USER, [{"name": None}], ["v[0] lacks name"]),
    "type of a key": (
        USER,
        [{"name": "kim"}, {"name": "lee", "slots": 1.5}],
        ["v[1].slots must be a whole number, it is 1.5"],
    ),
    "choice of a key": (USER, [{"name": "kim", "role": "Boss"}], ["v[0].role is 'Boss' and may be Op or User"]),
    "list in a list": (
        USER,
        [{"name": "kim", "hosts": ["a", {"b": 1}]}],
        ["v[0].hosts[1] must be text, it is a dictionary"],
    ),
    "choices of a list": (Input("list", ("a", "b"), elements="str"), ["a", "c"], ["v[1] is 'c' and may be a or b"]),
    "number as text": (Input("float"), "1.5", []),
    "word as number": (Input("float"), "fast", ["v must be a number, it is 'fast'"]),
    "superscript": (Input("int"), "²", ["v must be a whole number, it is '²'"]),
    "truth as text": (Input("str"), True, ["v must be text, it is true or false"]),
    "anything": (Input("raw"), [{"a": object}], []),
}


@pytest.mark.parametrize(("declared", "value", "words"), CASES.values(), ids=CASES)
def test_misfits(declared: Input, value: Any, words: list[str]) -> None:
    assert list(misfits("v", declared, value)) == words


def test_a_secret_of_digits_is_told_unseen() -> None:
    assert list(misfits("broker_password", Input("str"), 12345678)) == [
        "broker_password must be text, it is a whole number, quote it"
    ]


DEFAULTS: dict[str, Any] = {
    "str": "x", "path": "/x", "int": 1, "float": 1.5, "bool": False, "list": [], "dict": {}, "raw": "x",
}  # fmt: skip
VALUES: list[Any] = [
    "", "x", "5", "-5", "5.5", "²", "yes", "No", "on", "1", "a,b", "a=b", "{}", "/etc", 0, 1, -1, 1.0, 1.5, True, False,
    [], ["x"], [1], {}, {"a": 1}, float("inf"), "inf", "nan", "1e3", "٣", None,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("default", [True, False], ids=["default", "none"])
def test_what_passes_here_passes_in_a_role(kind: str, value: Any, default: bool) -> None:
    spec = {"v": {"type": kind, **({"default": DEFAULTS[kind]} if default else {})}}
    if not list(misfits("v", Input(kind, default=default), value)):
        assert ArgumentSpecValidator(spec).validate({"v": value}).error_messages == []


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_what_passes_here_as_an_entry_passes_in_a_role(kind: str, value: Any) -> None:
    spec = {"v": {"type": "list", "elements": kind}}
    if not list(misfits("v", Input("list", elements=kind), [value])):
        assert ArgumentSpecValidator(spec).validate({"v": [value]}).error_messages == []
