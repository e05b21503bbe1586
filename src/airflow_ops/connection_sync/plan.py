"""From what both sides hold and the rules to what has to happen on the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_ops.connection_sync.model import (
    CONNECTIONS,
    NAME,
    NAME_LENGTH,
    PROTECTED,
    Change,
    Fields,
    Items,
    Kind,
    Note,
    Plan,
    Value,
)
from airflow_ops.connection_sync.normal import canonical, closed, look, normal, opened, path_of, port, put
from airflow_ops.connection_sync.rules import PREFIX, Rules, matches

ONLY_THERE = f"only in the target, and {PREFIX}prune is false"
# Kept by Airflow itself, whatever anybody wants.
UNDELETABLE = {("pools", "default_pool")}


def plan(kind: Kind, source: Items, target: Items, rules: Rules) -> Plan:
    """Return what has to happen so that the target holds what the source holds, changed by the rules."""
    names = sorted({*source, *target})
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.lower(), []).append(name)
    return Plan.joined(_one(kind, name, alike[name.lower()], (source, target), rules) for name in names)


def exactly(kind: Kind, wanted: Items, target: Items) -> Plan:
    """Return what has to happen so that the target holds these rows to the letter, and no other."""
    return Plan.joined(_exactly(kind, name, target.get(name), wanted.get(name)) for name in sorted({*wanted, *target}))


def _exactly(kind: Kind, name: str, before: Fields | None, after: Fields | None) -> Plan:
    if before == after:
        return Plan(unchanged=(Note(kind, name, "the same"),))
    if after is None and (kind.name, name) in UNDELETABLE:
        return Plan(left=(Note(kind, name, "Airflow does not delete it"),))
    return Plan(changes=(_change(kind, name, before, after),))


def _one(kind: Kind, name: str, alike: list[str], sides: tuple[Items, Items], rules: Rules) -> Plan:
    source, target = sides
    reason = _left_alone(kind, name, source, target, rules)
    if reason:
        return Plan(left=(Note(kind, name, reason),))
    if name not in source:
        return Plan(changes=(Change(kind, name, "delete", before=target[name]),))
    reason = _refused(kind, name, [other for other in alike if other != name], source[name])
    if reason:
        return Plan(refused=(Note(kind, name, reason),))
    wanted, kept, warnings = _wanted(kind, name, source[name], target.get(name), rules)
    change = _change(kind, name, target.get(name), wanted, kept)
    if change.action == "update" and not change.fields:
        return Plan(unchanged=(Note(kind, name, _kept_text(kept)),), warnings=warnings)
    return Plan(changes=(change,), warnings=warnings)


def _left_alone(kind: Kind, name: str, source: Items, target: Items, rules: Rules) -> str:
    if not matches(name, rules.include):
        return f"{PREFIX}include does not name it"
    if matches(name, rules.exclude):
        return f"{PREFIX}exclude"
    if rules.protected(name) and name in target:
        return PROTECTED
    if name not in source and not rules.prune:
        return ONLY_THERE
    if name not in source and (kind.name, name) in UNDELETABLE:
        return "Airflow does not delete it"
    return ""


def _refused(kind: Kind, name: str, twins: list[str], fields: Fields) -> str:
    if kind is CONNECTIONS and not NAME.fullmatch(name):
        return "Airflow takes ASCII letters, digits and . _ - in an id only"
    if len(name) > NAME_LENGTH:
        return f"its name has {len(name)} characters, and Airflow takes {NAME_LENGTH}"
    if twins:
        return f"{', '.join(twins)} differs from it in upper and lower case only, and MariaDB takes both for one"
    number = port(fields.get("port"))
    if number is not None and not (isinstance(number, int) and 0 <= number <= 65535):
        return f"its port is {number!r}"
    return ""


def _wanted(
    kind: Kind, name: str, source: Fields, target: Fields | None, rules: Rules
) -> tuple[Fields, tuple[str, ...], tuple[str, ...]]:
    """Return the row as the target should have it, the fields that it keeps of its own, and warnings."""
    row = rules.rewritten(kind, name, source)
    if "port" in row:
        row["port"] = port(row["port"])
    warnings: list[str] = []
    if kind is CONNECTIONS:
        if matches(name, rules.vault_passwords):
            row["password"] = rules.passwords[name]
        elif matches(name, rules.target_passwords):
            row["password"] = target["password"] if target else None
            if not target:
                warnings.append(f"{name} is new and gets no password ({PREFIX}target_passwords): set it on the target.")
    kept: list[str] = []
    for field in rules.protected_fields(name) if target else ():
        if field.split(".")[0] in kind.fields:
            mine = _with_field(kind, row, field, target or {})
            kept += [field] if normal(kind, mine) != normal(kind, row) else []
            row = mine
    return _as_there(kind, row, target), tuple(kept), tuple(warnings)


def _with_field(kind: Kind, row: Fields, field: str, other: Fields) -> dict[str, Value]:
    """Return a row with one field, or one key inside its JSON, taken from another row."""
    first, _, rest = field.partition(".")
    if not rest:
        return {**row, first: other.get(first)}
    mine, theirs = opened(row.get(first)), opened(other.get(first))
    path = path_of(theirs, rest) or path_of(mine, rest)
    if first != kind.open or not path or not isinstance(mine, dict) or not isinstance(theirs, dict):
        return dict(row)
    changed = put(mine, path, look(theirs, path))
    return dict(row) if canonical(changed) == canonical(mine) else {**row, first: closed(changed) if changed else None}


def _as_there(kind: Kind, row: Fields, target: Fields | None) -> Fields:
    """Return a row in which what the target holds in another form, as null for empty, stays as it is there."""
    if target is None:
        return row
    mine, theirs = normal(kind, row), normal(kind, target)
    return {name: target.get(name) if mine[name] == theirs[name] else row.get(name) for name in kind.fields}


def _change(kind: Kind, name: str, before: Fields | None, after: Fields | None, kept: tuple[str, ...] = ()) -> Change:
    if before is None:
        return Change(kind, name, "create", None, after, kind.fields, kept)
    if after is None:
        return Change(kind, name, "delete", before)
    fields = tuple(field for field in kind.fields if before.get(field) != after.get(field))
    return Change(kind, name, "update", before, after, fields, kept)


def _kept_text(kept: tuple[str, ...]) -> str:
    return f"{', '.join(kept)} kept by {PROTECTED}" if kept else "the same"


def as_request(made: Plan) -> list[dict[str, Any]]:
    """Return the changes as the program on the target takes them: whole rows before and after."""
    return [
        {
            "kind": change.kind.name,
            "name": change.name,
            "before": _row(change.before),
            "after": _row(change.after),
        }
        for change in made.changes
    ]


def _row(fields: Mapping[str, Value] | None) -> dict[str, Value] | None:
    return None if fields is None else dict(fields)
