"""The switch: one rename of the link, provisional until the controller says that every host did it."""

from __future__ import annotations

import grp
import os
import shutil
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent import beside
from airflow_ops.dag_release.agent.beside import Undo
from airflow_ops.dag_release.agent.look import state
from airflow_ops.dag_release.agent.place import (
    AgentError,
    Manifest,
    Place,
    read_json,
    release_ids,
    releases_before,
    write_json,
)
from airflow_ops.dag_release.agent.runtime import Side, cross, empty_out, exchange, gather_all, left_side, side, survey
from airflow_ops.dag_release.agent.tree import digest, read


def activate(place: Place, release_id: str) -> tuple[dict[str, Any], Undo]:
    """Point the dags link at a release; return the report and what puts the host back."""
    release = place.release(release_id)
    if not release.is_dir():
        raise AgentError(f"release {release_id} does not lie in {place.releases}")
    undo: list[Undo] = []
    try:
        for name in beside.brought(release):
            undo += beside.take_over(place, name)
        undo += beside.note_plugins(place, release_id)
        report, back_again = switch(place, release_id)
    except (AgentError, OSError):
        undo_all(undo)
        raise
    return report, lambda: undo_all([*undo, back_again])


def undo_all(steps: list[Undo]) -> None:
    """Undo the steps, the last one first."""
    for step in reversed(steps):
        step()


def switch(place: Place, release_id: str) -> tuple[dict[str, Any], Undo]:
    """Put the link to a release in the place of what is live."""
    before = place.live_id()
    if before is None and place.dags.is_dir():
        return adopt(place, release_id)

    def undo() -> None:
        note_end(place, release_id)
        back(place, before, release_id)

    with whole(place, release_id, undo):
        moved = go(place, before, release_id)
        return {"atomic": True, "replaced": before, **moved}, undo


@contextmanager
def whole(place: Place, release_id: str, undo: Undo) -> Iterator[None]:
    """Leave the host on what it had when a step fails after the switch."""
    try:
        yield
    except BaseException:
        if place.live_id() == release_id:
            undo()
        raise


def go(place: Place, before: str | None, release_id: str) -> dict[str, list[str]]:
    """Make a release live, and the host's own files with it, wherever both manifests tell which those are."""
    source = side(place, before) if before else None
    target = left_side(place, release_id)
    if source is None or target is None:
        link(place, release_id)
        return {}
    return cross(place, source, target, (source.root, target.root), lambda: link(place, release_id))


def link(place: Place, release_id: str) -> None:
    """Put a link to a release in the place of the dags folder, by one rename."""
    make_link(place, place.new_link, release_id)
    place.new_link.rename(place.dags)


def make_link(place: Place, path: Path, release_id: str) -> None:
    """Make a link to a release."""
    if path.is_symlink():
        path.unlink()
    path.symlink_to(place.release(release_id))
    os.chown(path, -1, grp.getgrnam(place.group).gr_gid, follow_symlinks=False)


def back(place: Place, before: str | None, release_id: str) -> None:
    """Make the release `before` live again; None takes the link away, as before the first release."""
    if before:
        go(place, release_id, before)
    else:
        place.dags.unlink()


def adopt(place: Place, release_id: str) -> tuple[dict[str, Any], Undo]:
    """Exchange a plain dags folder and the link; the folder becomes a release of its own, an empty one goes."""
    target = side(place, release_id)
    assert target  # it was sealed in this run
    seen = state(place, target.fixed)
    entries, holds = seen.entries, bool(seen.entries or seen.runtime)
    old = place.release(f"{second_before(release_id)}-{digest(entries)[:12]}") if holds else place.scratch("empty")
    files = {entry.path: entry for entry in entries}
    if holds:  # first: what has a manifest is never cleaned away
        fields = {"id": old.name, "digest": digest(entries), "created": old.name[:16], "adopted": True, "carried": []}
        Manifest(fields, files).write(place, place.manifest(old.name))
    folder, name = Side(place.dags, files, old.name), old.name if holds else None
    at_once: list[bool] = []

    def flip() -> None:
        at_once.append(exchange_folder(place, old, release_id))

    def undo() -> None:
        note_end(place, release_id)
        there = folder._replace(root=old)
        cross(place, target, there, (target.root, place.dags), lambda: folder_back(place, old))
        place.manifest(old.name).unlink(missing_ok=True)

    with whole(place, release_id, undo):
        moved = cross(place, folder, target, (old, target.root), flip)
        return {"atomic": at_once[0], "adopted": name, "replaced": name, **moved}, undo


def exchange_folder(place: Place, old: Path, release_id: str) -> bool:
    """Put a link to a release in the place of the dags folder, which becomes `old`; say whether it was done at once."""
    make_link(place, old, release_id)
    if exchange(old, place.dags):
        return True
    old.unlink()
    place.dags.rename(old)
    link(place, release_id)
    return False


def folder_back(place: Place, old: Path) -> None:
    """Put the dags folder back in its place."""
    if exchange(old, place.dags):
        old.unlink()
    else:
        place.dags.unlink()
        old.rename(place.dags)


def second_before(release_id: str) -> str:
    """Return the time of an id less one second: what was there before a release sorts before it."""
    form = "%Y%m%dT%H%M%SZ"
    return (datetime.strptime(release_id[:16], form) - timedelta(seconds=1)).strftime(form)


def commit(place: Place, release_id: str, replaced: str | None) -> dict[str, Any]:
    """Make the release final: its manifest takes its place. Removes the empty folder that was there before, if any.

    :param replaced: the release that was live before, whose age counts from now on.
    """
    if place.new_manifest(release_id).exists():
        place.new_manifest(release_id).rename(place.manifest(release_id))
    shutil.rmtree(place.scratch("empty"), ignore_errors=True)
    kept = []
    with suppress(OSError):  # the release is live; the next run looks again
        if replaced:
            note_end(place, replaced)
        kept = gather_all(place, replaced)
    return {"kept": kept}


def note_end(place: Place, release_id: str) -> None:
    """Write down that a release is not live from now on; while it is, that says nothing."""
    with suppress(OSError):  # the next run counts from then
        write_json(place, place.ended, {**read_json(place.ended), release_id: utc_now()})


def utc_now(minutes_ago: int = 0) -> str:
    """Return a time of this host's clock, by which alone the ages of its releases are told."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - minutes_ago * 60))


def releases_to_remove(oldest_first: list[str], live: str | None, keep: int, young: Container[str]) -> list[str]:
    """Return the releases to delete: those beyond the newest `keep`, but never the live one or one a rollback goes to.

    :param young: those that were live a moment ago.
    """
    others = [name for name in oldest_first if name != live]
    older = releases_before(live, others)
    protected = {*others[-1:], *older[-1:]}
    old = others[: max(len(others) - max(keep - 1, 1), 0)]
    return [name for name in old if name not in protected and name not in young]


def outdated(place: Place, keep: int, minutes: int) -> dict[str, Any]:
    """Return the releases that may go; never a folder that was adopted.

    One that was live for a moment, in a switch that failed, goes whatever their number.
    """
    found, live, ended = release_ids(place), place.live_id(), read_json(place.ended)
    failed = [name for name in release_ids(place, unfinished=True) if name not in found and name in ended]
    # An older version of this program did not write down when a release ended: then it counts from now.
    known = {name: ended.get(name, utc_now()) for name in [*found, *failed] if name != live}
    if known != ended:
        write_json(place, place.ended, known)
    young = {name for name, when in known.items() if when > utc_now(minutes)}
    old = [name for name in releases_to_remove(found, live, keep, young) if not adopted(place, name)]
    return {"outdated": old + [name for name in failed if name != live and name not in young]}


def prune(place: Place, releases: list[str]) -> dict[str, Any]:
    """Delete releases; never one that was edited in place, nor files that were kept aside or are the host's."""
    # Edited after the last look at it, or by somebody whose shell still stands in it.
    edited = [name for name in releases if is_edited(place, name)]
    held = [name for name in releases if name not in edited and not empty_out(place, name)]
    removed = [name for name in releases if name not in (*edited, *held, place.live_id())]
    for name in removed:
        if place.manifest(name).exists():  # if this is killed, a later run removes what is left
            place.manifest(name).rename(place.new_manifest(name))
        shutil.rmtree(place.release(name), ignore_errors=True)
        place.new_manifest(name).unlink()
    return {"removed": removed, "edited": edited, "held": held}


def is_edited(place: Place, release_id: str) -> bool:
    """Say whether a release holds anything that was neither delivered, nor carried over, nor kept aside already."""
    manifest = place.known(release_id, unfinished=True)
    if manifest is None:
        return False
    root, carried = place.release(release_id), set(manifest.fields.get("carried", []))
    others = survey(place, root, {*manifest.files, *carried}).others
    now = read(root, {path: info for path, info in others.items() if path not in carried}, manifest.files)
    own = [entry for entry in now if entry != manifest.files.get(entry.path)]
    return any(not os.path.lexists(place.kept_as(release_id, entry)) for entry in own)


def adopted(place: Place, release_id: str) -> bool:
    """Say whether a release is a folder that was there before the first delivery."""
    manifest = Manifest.read(place.manifest(release_id))
    return manifest is None or bool(manifest.fields.get("adopted"))
