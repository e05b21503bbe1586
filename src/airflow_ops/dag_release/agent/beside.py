"""What lies beside the dags folder: the neighbours that a release brings, and what is the host's own.

A release holds its neighbours in its folder `.neighbours`, and AIRFLOW_HOME/NAME is a link to dags/.neighbours/NAME:
they go live, and back, by the one rename of the dags link. A path like dags/../NAME leads into the folder of the
releases, so a link to AIRFLOW_HOME/NAME lies there, for all that AIRFLOW_HOME holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from airflow_ops.dag_release.agent.place import AgentError, Place, group_id, write
from airflow_ops.dag_release.agent.runtime import exchange, survey
from airflow_ops.dag_release.agent.tree import IGNORE, NEIGHBOURS, Entry, digest, read

PLUGINS = "plugins"
# Any one pattern for all names would be wrong as a regular expression or as a glob.
IGNORE_ALL = "x*\n[!x]*\n"
CHANGED = "plugins.digest"  # in the folder of the releases; written when the plugins change
# What gets a link beside the releases: a name that none of our own there can have.
PLAIN = re.compile(r"(?!\d{8}T|\.)[\w.@+ -]{1,100}")
OWN = frozenset({CHANGED, "behind.json", "ended.json", "dag_releases"})

Undo = Callable[[], None]


def brought(tree: Path) -> list[str]:
    """Return the names of the neighbours that a tree holds."""
    return [name for name in names_in(tree / NEIGHBOURS) if name != (tree / IGNORE).name]


def names_in(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, none where it is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def is_ours(place: Place, name: str) -> bool:
    """Say whether a name beside the dags folder is the link to what the live release brings."""
    own = place.home / name
    return own.is_symlink() and str(own.readlink()) == link_to(place, name)


def link_to(place: Place, name: str) -> str:
    """Return where the link of that name leads."""
    return f"{place.dags.name}/{NEIGHBOURS}/{name}"


def by_hand(place: Place, name: str) -> bool:
    """Say whether a folder that nobody delivered has the name of a neighbour; it is taken over with the first release.

    :raises AgentError: when it cannot be taken over.
    """
    own, other = place.home / name, place.dags / NEIGHBOURS / name
    if not os.path.lexists(own) or is_ours(place, name):
        return False
    if own.is_symlink() or not own.is_dir():
        what = f"a link to {own.readlink()}" if own.is_symlink() else "a file"
        raise AgentError(f"{own} is {what}, and the release brings a folder of that name; move it away")
    if os.path.lexists(other) and not other.is_symlink():
        raise AgentError(f"{own} is a folder, and the live release holds another one, {other}; move one of them away")
    return True


def path_of(place: Place, path: str) -> Path:
    """Return where a file of the live tree lies; what is to be taken over lies beside it still."""
    folder, _, below = path.partition("/")
    name = below.partition("/")[0]
    if folder == NEIGHBOURS and name in place.neighbours and by_hand(place, name):
        return place.home / below
    return place.dags.resolve() / path


class Beside(NamedTuple):
    """What lies in folders that are to be taken over, by the paths that it will have in the live tree."""

    entries: list[Entry]
    runtime: list[str]  # files of the host, which belong to no release


def to_take_over(place: Place, brought: Iterable[str]) -> Beside:
    """Look at the folders that are to be taken over.

    :param brought: the files that the next release brings.
    """
    found = Beside([], [])
    for name in [name for name in place.neighbours if by_hand(place, name)]:
        root, prefix = place.home / name, f"{NEIGHBOURS}/{name}/"
        own = survey(place, root, {path[len(prefix) :] for path in brought if path.startswith(prefix)})
        found.runtime.extend(f"{prefix}{path}" for path in own.runtime)
        for entry in read(root, own.others):
            found.entries.append(Entry(f"{prefix}{entry.path}", entry.kind, entry.content, entry.stamp))
    return found


def take_over(place: Place, name: str) -> list[Undo]:
    """Make the link of a neighbour; a folder that lies in its place moves into the live tree at once.

    So nothing that is read changes before the switch, and a way back brings the folder back. Returns what undoes it.
    """
    if by_hand(place, name):
        return [_move_in(place, name)]
    if is_ours(place, name):
        return []
    make_link(place, link_to(place, name), place.home / name)
    return [(place.home / name).unlink]


def _move_in(place: Place, name: str) -> Undo:
    own, folder = place.home / name, place.dags.resolve() / NEIGHBOURS
    if not folder.is_dir():
        folder.mkdir(parents=True)
        place.own(folder, place.folder_mode)
    keep_airflow_out(place, folder.parent)
    new = folder / name
    if new.is_symlink():  # of a run that was killed here
        new.unlink()
    make_link(place, link_to(place, name), new)
    change_places(own, new)

    def undo() -> None:
        change_places(new, own)
        new.unlink()
        if not brought(folder.parent):
            (folder.parent / IGNORE).unlink()
            folder.rmdir()

    return undo


def keep_airflow_out(place: Place, tree: Path) -> None:
    """Have Airflow look for no DAGs among the neighbours of a tree, if it has any."""
    path = tree / IGNORE
    if path.parent.is_dir() and not path.exists():
        write(place, path, IGNORE_ALL)


def change_places(folder: Path, link: Path) -> None:
    """Exchange a folder and a link; where the file system cannot, for an instant neither name leads to the folder."""
    if not exchange(folder, link):
        target = link.readlink()
        link.unlink()
        folder.rename(link)
        folder.symlink_to(target)


def make_link(place: Place, target: str, path: Path) -> None:
    """Make a link that belongs to the group."""
    path.symlink_to(target)
    os.chown(path, -1, group_id(place.group), follow_symlinks=False)


def surround(place: Place, names: Iterable[str]) -> dict[str, Any]:
    """Make the links beside the releases by which dags/../NAME leads to AIRFLOW_HOME/NAME.

    :param names: that DAGs reach, whether or not they are there yet.
    """
    place.make_releases()
    for name in brought(place.dags.resolve()):  # somebody may have removed one
        if not os.path.lexists(place.home / name):
            make_link(place, link_to(place, name), place.home / name)
    wanted = {*names_in(place.home), *names} - OWN
    made = [name for name in sorted(wanted) if PLAIN.fullmatch(name) and not os.path.lexists(place.releases / name)]
    for name in made:
        make_link(place, f"../{name}", place.releases / name)
    return {"made": made}


def view(place: Place, tree: Path) -> None:
    """Lay beside a staged tree what will lie beside it when it is live, for Airflow, which loads it before that."""
    keep_airflow_out(place, tree)
    own = {*brought(tree), *(name for name in names_in(place.home) if is_ours(place, name))}
    for name in own:
        make_link(place, link_to(place, name), tree.parent / name)
    for name in {*names_in(place.home)} - own - {place.dags.name, place.releases.name}:
        make_link(place, str(place.home / name), tree.parent / name)


def plugins_of(place: Place, tree: Path) -> str:
    """Return the folder of the plugins of a tree, empty when those of the host's own are read."""
    return str(tree / NEIGHBOURS / PLUGINS) if PLUGINS in brought(tree) or is_ours(place, PLUGINS) else ""


def plugins(entries: Iterable[Entry]) -> list[list[str]]:
    """Return path, kind and content of the plugins among the files of a tree."""
    return [
        [each.path, each.kind, each.content] for each in entries if each.path.startswith(f"{NEIGHBOURS}/{PLUGINS}/")
    ]


def plugins_in(place: Place, release_id: str | None) -> list[Entry]:
    """Return the plugins in a release, without files of the host; None stands for a folder that nobody delivered."""
    known = place.known(release_id, unfinished=True) if release_id else None
    prefix = f"{NEIGHBOURS}/{PLUGINS}/"
    fixed = {path[len(prefix) :] for path in known.files if path.startswith(prefix)} if known else frozenset()
    root = place.release(release_id) / prefix if release_id else place.home / PLUGINS
    return [
        Entry(f"{prefix}{entry.path}", entry.kind, entry.content, entry.stamp)
        for entry in read(root, survey(place, root, fixed).others)
    ]


def note_plugins(place: Place, release_id: str) -> list[Undo]:
    """Note that the plugins change with a release, if they do: what read them before that moment is to be restarted.

    The links of the neighbours are made already, so the plugins that are read now are those of the live tree.
    """
    if not is_ours(place, PLUGINS):
        return []
    after = digest(plugins_in(place, release_id))
    live = place.live_id()
    if digest(plugins_in(place, live)) == after:
        return []
    note = place.releases / CHANGED
    old = note.stat() if note.exists() else None
    text = note.read_text("ascii") if old else ""
    write(place, note, f"{after}\n")

    def undo() -> None:
        if old is None:
            note.unlink()
        else:
            write(place, note, text)
            os.utime(note, ns=(old.st_mtime_ns, old.st_mtime_ns))

    return [undo]
