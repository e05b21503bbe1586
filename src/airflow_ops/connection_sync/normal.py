"""One form for values that Airflow reads alike: null and empty, ports as text, the order of keys in extra."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_ops.connection_sync.model import CONNECTIONS, Fields, Kind, Value


def normal(kind: Kind, fields: Fields) -> dict[str, Any]:
    """Return a row in the form in which two rows are compared."""
    return {name: _normal(kind, name, fields.get(name)) for name in kind.fields}


def _normal(kind: Kind, name: str, value: Value) -> Any:
    if name == kind.open:
        # A variable is whatever its DAG makes of the text: there null, {} and nothing are three values.
        return canonical(opened(value)) if kind is CONNECTIONS else value
    if name == "conn_type":
        return conn_type(str(value or ""))
    if name == "port":
        return port(value)
    return None if value == "" else value


def conn_type(text: str) -> str:
    """Return a type as Airflow stores it when it reads a URI, whose scheme has no underscores."""
    return "postgres" if text == "postgresql" else text.replace("-", "_")


def port(value: Value) -> Value:
    """Return a port as a number; what is none stays as it is and is refused by the plan."""
    text = str(value).strip() if value is not None else ""
    return (int(text) if text.isdecimal() else value) if text else None


def opened(value: Value) -> Any:
    """Return the object that a JSON text holds, its keys in order; any other text as it is."""
    text = str(value) if value is not None else ""
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if content is None:
        return {}
    return content if isinstance(content, dict) else text


def canonical(content: Any) -> str:
    """Return one text for JSON that is alike; unlike Python's ==, it tells false from 0."""
    return json.dumps(content, sort_keys=True)


def closed(content: Any) -> str:
    """Return the JSON text of an object."""
    return json.dumps(content, ensure_ascii=False)


def mapped(content: Any, change: Callable[[tuple[str, ...], Any], Any], path: tuple[str, ...] = ()) -> Any:
    """Return a JSON value with each value that is neither object nor list replaced by what ``change`` makes of it.

    :param change: takes the keys that lead to the value, and the value.
    """
    if isinstance(content, dict):
        return {key: mapped(value, change, (*path, str(key))) for key, value in content.items()}
    if isinstance(content, list):
        return [mapped(value, change, path) for value in content]
    return change(path, content)


ABSENT: Any = object()


def path_of(content: Any, text: str) -> tuple[str, ...] | None:
    """Return the keys that lead to what ``a.b`` names, None where nothing is there; a key may hold dots itself."""
    for key in content if isinstance(content, dict) else ():
        if text == key:
            return (key,)
        rest = path_of(content[key], text[len(key) + 1 :]) if text.startswith(f"{key}.") else None
        if rest:
            return (key, *rest)
    return None


def look(content: Any, path: tuple[str, ...]) -> Any:
    """Return what lies at a path of keys, ABSENT where nothing does."""
    for key in path:
        if not isinstance(content, dict) or key not in content:
            return ABSENT
        content = content[key]
    return content


def put(content: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return an object with another value at a path of keys; ABSENT takes it away."""
    first, *rest = path
    if rest:
        inner = content.get(first)
        if value is ABSENT and not isinstance(inner, dict):
            return content
        return {**content, first: put(inner if isinstance(inner, dict) else {}, tuple(rest), value)}
    if value is ABSENT:
        return {key: item for key, item in content.items() if key != first}
    return {**content, first: value}
