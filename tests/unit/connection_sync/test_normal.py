"""Values that Airflow reads alike are alike."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.connection_sync.model import CONNECTIONS, KINDS
from airflow_ops.connection_sync.normal import ABSENT, look, normal, opened, path_of, put
from tests.unit.connection_sync.rows import row


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(row(host=None), row(host=""), True, id="null and empty"),
        pytest.param(row(password=None), row(password=""), True, id="no password and an empty one"),
        pytest.param(row(port=3306), row(port="3306"), True, id="port as text"),
        pytest.param(row(port=0), row(port=None), False, id="port 0 is a port"),
        pytest.param(row('{"a": 1, "b": 2}'), row('{"b":2,"a":1}'), True, id="order of keys, blanks"),
        pytest.param(row("{}"), row(None), True, id="empty object and nothing"),
        pytest.param(row("null"), row(""), True, id="JSON null and empty"),
        pytest.param(row('{"a": "1"}'), row('{"a": 1}'), False, id="text and number"),
        pytest.param(row({"a": False}), row({"a": 0}), False, id="false and 0"),
        pytest.param(row({"a": [1]}), row({"a": [True]}), False, id="1 and true in a list"),
        pytest.param(row("a=b"), row("a=c"), False, id="invalid JSON is compared as text"),
        pytest.param(row("[1, 2]"), row("[1,2]"), False, id="a list is no extra, compared as text"),
        pytest.param(
            row(conn_type="google-cloud-platform"), row(conn_type="google_cloud_platform"), True, id="URI type"
        ),
        pytest.param(row(conn_type="postgresql"), row(conn_type="postgres"), True, id="URI type of PostgreSQL"),
        pytest.param(row(host="MN01D"), row(host="mn01d"), False, id="case of a host"),
        pytest.param(row(login=" a"), row(login="a"), False, id="blanks count"),
    ],
)
def test_same(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert (normal(CONNECTIONS, one) == normal(CONNECTIONS, other)) is same


@pytest.mark.parametrize(
    ("one", "other"), [("{}", "null"), ("{}", ""), ("null", ""), ("", None), ('{"a": 1}', '{"a":1}'), ("0", "false")]
)
def test_a_variable_is_its_text(one: str, other: str | None) -> None:
    variables = KINDS["variables"]
    assert normal(variables, {"value": one}) != normal(variables, {"value": other})


@pytest.mark.parametrize(
    ("text", "path"),
    [("a", ("a",)), ("b.c", ("b", "c")), ("d.e", ("d.e",)), ("b.x", None), ("x", None), ("a.b", None)],
)
def test_path_of(text: str, path: tuple[str, ...] | None) -> None:
    assert path_of({"a": 1, "b": {"c": 2}, "d.e": 3}, text) == path


@pytest.mark.parametrize(
    ("path", "value", "result"),
    [
        (("a",), 9, {"a": 9, "b": {"c": 2}}),
        (("b", "c"), 9, {"a": 1, "b": {"c": 9}}),
        (("n", "m"), 9, {"a": 1, "b": {"c": 2}, "n": {"m": 9}}),
        (("a",), ABSENT, {"b": {"c": 2}}),
        (("b", "c"), ABSENT, {"a": 1, "b": {}}),
        (("n", "m"), ABSENT, {"a": 1, "b": {"c": 2}}),
    ],
)
def test_put(path: tuple[str, ...], value: Any, result: dict[str, Any]) -> None:
    assert put({"a": 1, "b": {"c": 2}}, path, value) == result
    assert look(result, path) == value


def test_opened_keeps_what_it_cannot_read() -> None:
    assert opened("{broken") == "{broken"
