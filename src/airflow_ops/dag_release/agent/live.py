"""The switch: one rename of the link, provisional until the controller says that every host did it."""

from __future__ import annotations

import ctypes
import errno
import grp
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.look import state
from airflow_ops.dag_release.agent.place import AgentError, Manifest, Place, release_ids, releases_before
from airflow_ops.dag_release.agent.tree import digest, scan

RENAME_EXCHANGE = 2
AT_FDCWD = -100
NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)

Undo = Callable[[], None]


def activate(place: Place, release_id: str) -> tuple[dict[str, Any], Undo]:
    """Point the dags link at a release; return the report and what puts the host back."""
    if not place.release(release_id).is_dir():
        raise AgentError(f"release {release_id} does not lie in {place.releases}")
    before = place.live_id()
    if before or not place.dags.is_dir():
        link(place, release_id)
        return {"atomic": True}, lambda: back(place, before)
    return adopt(place, release_id)


def link(place: Place, release_id: str) -> None:
    """Put a link to a release in the place of the dags folder, by one rename."""
    make_link(place, release_id)
    place.new_link.rename(place.dags)


def make_link(place: Place, release_id: str) -> None:
    """Make the link beside the dags folder."""
    if place.new_link.is_symlink():
        place.new_link.unlink()
    place.new_link.symlink_to(place.release(release_id))
    os.chown(place.new_link, -1, grp.getgrnam(place.group).gr_gid, follow_symlinks=False)


def back(place: Place, before: str | None) -> None:
    """Make the release `before` live again; None takes the link away, as before the first release."""
    if before:
        link(place, before)
    else:
        place.dags.unlink()


def adopt(place: Place, release_id: str) -> tuple[dict[str, Any], Undo]:
    """Exchange a plain dags folder and the link; the folder becomes a release of its own, an empty one goes."""
    entries = state(place).entries
    old = place.release(f"{second_before(release_id)}-{digest(entries)[:12]}") if entries else place.staging("empty")
    if entries:  # first: what has a manifest is never cleaned away
        fields = {"id": old.name, "digest": digest(entries), "created": old.name[:16], "adopted": True, "carried": []}
        Manifest(fields, {entry.path: entry for entry in entries}).write(place, place.manifest(old.name))
    make_link(place, release_id)
    atomic = exchange(place.new_link, place.dags)
    if atomic:
        place.new_link.rename(old)
    else:
        place.dags.rename(old)
        place.new_link.rename(place.dags)

    def undo() -> None:
        if exchange(old, place.dags):
            old.unlink()
        else:
            place.dags.unlink()
            old.rename(place.dags)
        place.manifest(old.name).unlink(missing_ok=True)

    return {"atomic": atomic, "adopted": old.name if entries else None}, undo


def second_before(release_id: str) -> str:
    """Return the time of an id less one second: what was there before a release sorts before it."""
    form = "%Y%m%dT%H%M%SZ"
    return (datetime.strptime(release_id[:16], form) - timedelta(seconds=1)).strftime(form)


def recover(place: Place) -> None:
    """Finish an adoption in whose middle the host died: the folder waits under the name of the new link."""
    if place.new_link.is_dir() and not place.new_link.is_symlink():
        for name in release_ids(place):
            if not place.release(name).exists():
                place.new_link.rename(place.release(name))
                return


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system or the file system cannot.

    :raises OSError: when it can and did not.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    done = rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    number = ctypes.get_errno()
    if done and number not in NO_EXCHANGE:
        raise OSError(number, f"{os.strerror(number)}: cannot exchange {one} and {other}")
    return not done


def commit(place: Place, release_id: str) -> dict[str, Any]:
    """Make the release final: its manifest takes its place. Removes the empty folder that was there before, if any."""
    if place.new_manifest(release_id).exists():
        place.new_manifest(release_id).rename(place.manifest(release_id))
    shutil.rmtree(place.staging("empty"), ignore_errors=True)
    return {}


def releases_to_remove(oldest_first: list[str], live: str | None, keep: int, young: str) -> list[str]:
    """Return the releases to delete: those beyond the newest `keep`, but never the live one or one a rollback goes to.

    :param young: time as an id begins with it; a release from then on is too young to be deleted.
    """
    others = [name for name in oldest_first if name != live]
    older = releases_before(live, others)
    protected = {*others[-1:], *older[-1:]}
    old = others[: max(len(others) - max(keep - 1, 1), 0)]
    return [name for name in old if name not in protected and name < young]


def prune(place: Place, keep: int, young: str) -> dict[str, Any]:
    """Delete old releases; never a folder that was adopted or edited in place, nor files that were kept aside."""
    found = release_ids(place)
    old = [name for name in releases_to_remove(found, place.live_id(), keep, young) if not adopted(place, name)]
    # Edited after the last look at it, or by somebody whose shell still stands in it.
    edited = [name for name in old if is_edited(place, name)]
    removed = [name for name in old if name not in edited]
    for name in removed:
        place.manifest(name).rename(place.new_manifest(name))  # if this is killed, the next run cleans what is left
        shutil.rmtree(place.release(name), ignore_errors=True)
        place.new_manifest(name).unlink()
    return {"removed": removed, "edited": edited, "left": len(found) - len(removed)}


def is_edited(place: Place, release_id: str) -> bool:
    """Say whether a release holds anything that was neither delivered, nor carried over, nor kept aside already."""
    manifest = Manifest.read(place.manifest(release_id))
    if manifest is None:
        return False
    carried = set(manifest.fields.get("carried", []))
    now = [entry for entry in scan(place.release(release_id), manifest.files) if entry.path not in carried]
    own = [entry for entry in now if entry != manifest.files.get(entry.path)]
    return any(not os.path.lexists(place.kept_as(release_id, entry)) for entry in own)


def adopted(place: Place, release_id: str) -> bool:
    """Say whether a release is a folder that was there before the first delivery."""
    manifest = Manifest.read(place.manifest(release_id))
    return manifest is None or bool(manifest.fields.get("adopted"))
