"""A plan as people and as machines read it; no secret is in either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from airflow_ops.columns import columns
from airflow_ops.connection_sync.model import PROTECTED, Change, Note, Plan
from airflow_ops.connection_sync.secret import Facet, Veil, facets

HEADER = ("action", "kind", "name", "field", "now", "then")
SET, CHANGED, REMOVED = "(secret)", "(secret, changed)", "(none)"
NOTHING = "-"
Line = tuple[str, str, str, str, str, str]


def veil(made: Plan) -> Veil:
    """Return what hides every secret of a plan, wherever it stands."""
    return Veil(
        facet.value
        for change in made.changes
        for fields in (change.before, change.after)
        for facet in facets(change.kind, change.name, fields).values()
        if facet.secret and not facet.doubtful
    )


def differences(change: Change, hide: Veil) -> Iterator[tuple[str, str, str]]:
    """Yield field, present and future value of each difference, as they may be shown."""
    before, after = (facets(change.kind, change.name, fields) for fields in (change.before, change.after))
    for path in [*after, *(path for path in before if path not in after)]:
        mine, theirs = before.get(path), after.get(path)
        if mine != theirs:
            yield printable(path), _now(mine, hide), _then(mine, theirs, hide)


def _now(facet: Facet | None, hide: Veil) -> str:
    if facet is None:
        return NOTHING
    return SET if facet.secret else hide.show(facet.value)


def _then(before: Facet | None, after: Facet | None, hide: Veil) -> str:
    if after is None:
        return REMOVED
    if after.secret or (before is not None and before.secret):
        return CHANGED if before else SET
    return hide.show(after.value)


def table(made: Plan) -> str:
    """Return the plan as a table: a line for each difference and for each thing that was left alone or refused."""
    hide = veil(made)
    rows = [row for change in made.changes for row in _change_rows(change, hide)]
    rows += [_note_row("leave", note) for note in made.left]
    rows += [_note_row("refuse", note) for note in made.refused]
    kept = [note for note in made.unchanged if note.reason != "the same"]
    rows += [_note_row("keep", note) for note in kept]
    return "\n".join(columns([HEADER, *rows])) if rows else ""


def _change_rows(change: Change, hide: Veil) -> Iterator[Line]:
    first: tuple[str, str, str] = (change.action, change.kind.one, printable(change.name))
    rest = ("", "", "")
    if change.action == "delete":
        yield (*first, "", "", REMOVED)
        return
    start = first
    for path, now, then in differences(change, hide):
        yield (*start, path, now, then)
        start = rest
    if start == first:  # only the form differs, as null for empty
        yield (*first, ", ".join(change.fields), "", "the same in another form")
    if change.kept:
        yield (*rest, ", ".join(change.kept), "", f"kept, {PROTECTED}")


def _note_row(action: str, note: Note) -> Line:
    return (action, note.kind.one, printable(note.name), "", "", note.reason)


def printable(name: str) -> str:
    """Return a name on one line, whatever it holds."""
    return Veil(()).show(name)


def report(made: Plan) -> str:
    """Return the counts in one line."""
    return ", ".join(f"{count} {name}" for name, count in made.counts().items())


def as_data(made: Plan) -> dict[str, Any]:
    """Return the plan for machines."""
    hide = veil(made)
    return {
        "counts": made.counts(),
        "changes": [
            {
                "kind": change.kind.name,
                "name": change.name,
                "action": change.action,
                "fields": [{"field": path, "now": now, "then": then} for path, now, then in differences(change, hide)]
                if change.action != "delete"
                else [],
                "kept": list(change.kept),
            }
            for change in made.changes
        ],
        **{
            name: _notes(notes)
            for name, notes in (("unchanged", made.unchanged), ("left", made.left), ("refused", made.refused))
        },
        "warnings": list(made.warnings),
    }


def _notes(notes: Iterable[Note]) -> list[dict[str, str]]:
    return [{"kind": note.kind.name, "name": printable(note.name), "reason": note.reason} for note in notes]
