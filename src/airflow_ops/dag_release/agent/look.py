"""What lies on a host: what is live, whether it is still what was delivered, and which releases exist."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from airflow_ops.dag_release.agent import beside
from airflow_ops.dag_release.agent.behind import QUARANTINE
from airflow_ops.dag_release.agent.place import Place, release_ids, select
from airflow_ops.dag_release.agent.runtime import survey
from airflow_ops.dag_release.agent.tree import Entry, digest, read, scan


class State(NamedTuple):
    """The live tree of a host against its manifest."""

    live: str | None
    committed: bool  # the release has a manifest, so it went live everywhere
    entries: list[Entry]  # all files that lie there now, but for the host's own
    managed: list[Entry]  # those of them that a release brought
    edited: list[str]  # managed files that somebody changed in place
    missing: list[str]  # managed files that somebody deleted in place
    unmanaged: list[str]  # files that no release brought
    carried: list[str]  # those of them that were carried over from an earlier tree
    runtime: list[str]  # files of the host, which belong to no release
    adopted: bool = False  # a release that was a folder with hand-copied files: no source has brought any of them

    @property
    def digest(self) -> str:
        return digest(self.managed)


def state(place: Place, brought: Iterable[str] = ()) -> State:
    """Look at the live tree.

    :param brought: of a plain folder, which has no manifest: what the next release brings.
    """
    live, beside_it = place.live_id(), beside.to_take_over(place, brought)
    new = [entry.path for entry in beside_it.entries]
    if live is None or not place.dags.is_dir():
        found = survey(place, place.dags, frozenset(brought))
        entries = in_order(read(place.dags, found.others), beside_it.entries)
        loose = [entry.path for entry in entries]
        return State(live, False, entries, [], [], [], loose, [], sorted([*found.runtime, *beside_it.runtime]))
    known, root = place.known(live, unfinished=True), place.release(live)
    if known is None:  # the manifest was lost: what lies there is taken as what was delivered
        entries = scan(root)
        return State(live, False, in_order(entries, beside_it.entries), entries, [], [], new, [], beside_it.runtime)
    found = survey(place, root, known.files)
    entries = in_order(read(root, found.others, known.files), beside_it.entries)
    adopted = bool(known.fields.get("adopted"))
    managed, here = select(entries, known.files), {entry.path for entry in entries}
    return State(
        live,
        place.manifest(live).exists(),
        entries,
        managed,
        [entry.path for entry in managed if entry != known.files[entry.path]],
        sorted(known.files.keys() - here),
        sorted(here if adopted else here - known.files.keys()),
        [path for path in known.fields.get("carried", []) if path in here],
        sorted([*found.runtime, *found.links, *beside_it.runtime]),
        adopted,
    )


def in_order(*parts: list[Entry]) -> list[Entry]:
    """Return all entries as a digest is computed over them."""
    return sorted((entry for part in parts for entry in part), key=lambda entry: entry.path)


def look(place: Place, files: bool = False, brought: Iterable[str] = ()) -> dict[str, Any]:
    """Report the live tree; with `files` also every file of it and the dag_ids that its manifest knows."""
    seen = state(place, brought)
    result: dict[str, Any] = {
        "live": seen.live,
        "committed": seen.committed,
        "digest": seen.digest if seen.live else None,
        "edited": seen.edited,
        "missing": seen.missing,
        "unmanaged": seen.unmanaged,
        "carried": seen.carried,
        "runtime": seen.runtime,
        "by_hand": seen.adopted or (place.is_folder() and bool(seen.entries)),
        "quarantined": QUARANTINE.exists(),
        "beside": beside.names_in(place.home),
        "plugins": beside.plugins(seen.entries),
        "plugins_noted": (place.releases / beside.CHANGED).exists(),
    }
    if files:
        manifest = place.known(seen.live) if seen.live else None
        entries = seen.managed if seen.live else seen.entries
        result["files"] = as_lists(entries)
        result["dags"] = manifest.fields.get("dags") if manifest else None
    return result


def as_lists(entries: Iterable[Entry]) -> list[list[str]]:
    """Return entries as JSON has them."""
    return [[entry.path, entry.kind, entry.content, entry.stamp] for entry in entries]


def releases(place: Place) -> dict[str, Any]:
    """Report the releases, oldest first: what their manifests say, without the files, and which one is live.

    And the runtime files of the host, which belong to none of them.
    """
    found = []
    for name in release_ids(place):
        manifest = place.known(name)
        if manifest:
            found.append({"dags": None, **manifest.fields, "id": name, "files": len(manifest.files)})
    return {
        "live": place.live_id(),
        "folder": place.is_folder(),
        "releases": found,
        "runtime": state(place).runtime,
        "quarantined": QUARANTINE.exists(),
    }


def prove(place: Place, release_id: str, files: bool = False) -> dict[str, Any]:
    """Report the digest of a release, each file read anew, and the files that are not what was delivered.

    With `files` also every file that was delivered.
    """
    manifest = place.known(release_id)
    if manifest is None or not place.release(release_id).is_dir():
        return {"digest": None, "wrong": [], "plugins": []}
    now = {entry.path: entry for entry in scan(place.release(release_id))}
    wrong = [path for path, entry in manifest.files.items() if now.get(path) != entry]
    result = {
        "digest": digest(select(now.values(), manifest.files)),
        "wrong": sorted(wrong),
        "plugins": beside.plugins(beside.plugins_in(place, release_id)),
    }
    return {**result, "files": as_lists(manifest.files.values())} if files else result
