"""What is synchronised and what a plan consists of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Value = str | int | bool | None
Fields = Mapping[str, Value]
Items = Mapping[str, Fields]  # by name
Action = Literal["create", "update", "delete"]


class SyncError(Exception):
    """The run stops and nothing was changed; the text is for the admin and holds no secret."""


@dataclass(frozen=True)
class Kind:
    """One sort of things that the metadata database holds.

    :param open: the field whose text may be JSON, of which only what looks secret is hidden.
    """

    name: str
    one: str
    fields: tuple[str, ...]
    secret: frozenset[str] = frozenset()
    open: str | None = None


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "connections",
            "connection",
            ("conn_type", "host", "port", "schema", "login", "password", "extra", "description"),
            frozenset({"password"}),
            "extra",
        ),
        Kind("variables", "variable", ("value", "description"), open="value"),
        Kind("pools", "pool", ("slots", "description", "include_deferred")),
    )
}
CONNECTIONS = KINDS["connections"]
# What Airflow's own import accepts, whose regular expressions know ASCII only; the tables would take more.
NAME = re.compile(r"[\w.-]+", re.ASCII)
NAME_LENGTH = 200
PROTECTED = "connection_sync_protect"  # why something is left alone that belongs to the target


@dataclass(frozen=True)
class Change:
    """One row to write.

    ``before`` and ``after`` are whole rows; ``fields`` are those that differ, ``kept`` those that belong to the
    target and stay different from the source.
    """

    kind: Kind
    name: str
    action: Action
    before: Fields | None = None
    after: Fields | None = None
    fields: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """One thing that is not written, and why."""

    kind: Kind
    name: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What has to happen on the target, and what was left alone or refused."""

    changes: tuple[Change, ...] = ()
    unchanged: tuple[Note, ...] = ()
    left: tuple[Note, ...] = ()
    refused: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()

    def by_action(self, action: Action) -> Iterator[Change]:
        """Yield the changes of one sort."""
        return (change for change in self.changes if change.action == action)

    def counts(self) -> dict[str, int]:
        """Return how many of each there are."""
        actions: tuple[Action, ...] = ("create", "update", "delete")
        done = {f"{action}d": sum(1 for _ in self.by_action(action)) for action in actions}
        protected = sum(note.reason == PROTECTED for note in self.left)
        left = {"protected": protected, "left alone": len(self.left) - protected}
        return {**done, "unchanged": len(self.unchanged), **left, "refused": len(self.refused)}

    @classmethod
    def joined(cls, plans: Iterable[Plan]) -> Plan:
        """Return several plans as one."""
        parts = list(plans)
        return cls(
            tuple(change for part in parts for change in part.changes),
            *(
                tuple(note for part in parts for note in getattr(part, name))
                for name in ("unchanged", "left", "refused", "warnings")
            ),
        )
