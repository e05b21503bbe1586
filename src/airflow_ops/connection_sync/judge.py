"""From two exports to a plan that may be applied, or to one message with everything that speaks against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_ops.connection_sync import guard
from airflow_ops.connection_sync.model import CONNECTIONS, KINDS, Items, Kind, Plan, SyncError
from airflow_ops.connection_sync.plan import exactly, plan
from airflow_ops.connection_sync.rules import PREFIX, Rules
from airflow_ops.connection_sync.show import printable

NOTHING = "nothing was changed"
# Airflow itself knows these; no provider brings them.
OWN_TYPES = frozenset({"", "generic", "email"})


@dataclass(frozen=True)
class Side:
    """What one environment holds, and its hosts by name and address."""

    environment: str
    version: str = ""
    database: str = ""
    rows: Mapping[str, Items] | None = None
    types: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: str, export: Mapping[str, Any]) -> Side:
        """Return the side that an export describes."""
        return cls(environment, export["version"], export["database"], export["rows"], tuple(export["types"]))

    def items(self, kind: Kind) -> Items:
        """Return the rows of a kind by name."""
        return (self.rows or {}).get(kind.name, {})


@dataclass(frozen=True)
class Surroundings:
    """What is known beside the exports: names and addresses of production's hosts, names of the target's."""

    production: tuple[str, ...] = ()
    target_hosts: tuple[str, ...] = ()


def judged(source: Side, target: Side, kinds: list[str], rules: Rules, around: Surroundings) -> Plan:
    """Return the plan.

    :raises SyncError: with everything that speaks against it, in one message.
    """
    demand_comparable(source, target)
    chosen = [KINDS[name] for name in kinds]
    made = Plan.joined(_one_kind(kind, source, target, rules) for kind in chosen)
    against = [text for kind in chosen for text in _masked(kind, source, rules)]
    against += list(_refused(made, source))
    found = [
        finding
        for kind in chosen
        for finding in guard.production(kind, guard.results(kind, made, target.items(kind)), rules, around.production)
    ]
    if found:
        against.append(guard.refusal(found, target.environment, around.target_hosts))
    if against:
        raise SyncError("\n".join([f"{target.environment} stays as it is, {NOTHING}.", *against]))
    return replace(made, warnings=made.warnings + tuple(_without_provider(made, target)))


def demand_comparable(source: Side, target: Side) -> None:
    """Refuse two versions, and two names for one database."""
    if target.version and source.version != target.version:
        raise SyncError(
            f"{source.environment} runs Airflow {source.version} and {target.environment} runs {target.version}; "
            f"{NOTHING}, bring both to one version first."
        )
    if source.database == target.database:
        raise SyncError(
            f"{source.environment} and {target.environment} both use the database {source.database}; {NOTHING}, "
            f"see metadata_db_host of {target.environment}, and its airflow.cfg."
        )


def _one_kind(kind: Kind, source: Side, target: Side, rules: Rules) -> Plan:
    if not source.items(kind):
        raise SyncError(f"{source.environment} has no {kind.name}; {NOTHING}, take them out of {PREFIX}kinds.")
    return plan(kind, source.items(kind), target.items(kind), rules)


def _masked(kind: Kind, source: Side, rules: Rules) -> Iterator[str]:
    found = guard.masked(kind, source.items(kind), rules)
    if found:
        yield (
            f"{source.environment} holds asterisks instead of the value in {', '.join(map(printable, found))}: "
            f"enter the value there, or exclude them with {PREFIX}exclude."
        )


def _refused(made: Plan, source: Side) -> Iterator[str]:
    if made.refused:
        yield f"What {source.environment} holds and Airflow would not take (exclude it with {PREFIX}exclude):"
    for note in made.refused:
        yield f"- {note.kind.one} {printable(note.name)!r}: {note.reason}"


def _without_provider(made: Plan, target: Side) -> Iterator[str]:
    if not target.types:
        return
    rows = {change.name: change.after for change in made.changes if change.kind is CONNECTIONS and change.after}
    by_type: dict[str, list[str]] = {}
    for name, fields in rows.items():
        found = str(fields["conn_type"] or "")
        if found not in OWN_TYPES and found not in target.types:
            by_type.setdefault(found, []).append(name)
    for found, names in by_type.items():
        yield f"{target.environment} has no provider for the type {found!r} of {', '.join(names)}."


def packed(side: Side) -> str:
    """Return the text of a backup, before it is encrypted."""
    content = {"environment": side.environment, "database": side.database, "rows": side.rows}
    return json.dumps(content, ensure_ascii=False)


def restored(text: str, target: Side) -> Plan:
    """Return what has to happen so that the target holds what a backup holds."""
    backup: dict[str, Any] = json.loads(text)
    if backup["environment"] != target.environment:
        raise SyncError(f"This is a backup of {backup['environment']} and not of {target.environment}; {NOTHING}.")
    if target.database and backup["database"] != target.database:
        raise SyncError(
            f"This backup is of the database {backup['database']} and {target.environment} uses {target.database}; "
            f"{NOTHING}, see metadata_db_host of {target.environment}, and its airflow.cfg."
        )
    return Plan.joined(exactly(KINDS[name], rows, target.items(KINDS[name])) for name, rows in backup["rows"].items())
