"""Runtime files: what tasks write below the dags folder. They belong to the host and to no release.

The real ones lie in the live tree; what older releases have in their place are links to them, through which a process
that still stands there goes on with the same files. In a switch they go over as they are, by exchanges of names: a file
that is open stays open, and in no moment one is missing. A folder that holds nothing else goes over as a whole; of a
file beside those of a release both trees have the one inode meanwhile.

Between the exchange of such a folder and the new link in its old place, that place leads to itself for an instant: who
opens a file by a path of the old release just then gets ELOOP.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from airflow_ops.dag_release.agent.place import AgentError, Place, release_ids
from airflow_ops.dag_release.agent.tree import GONE, LOADED, folders_above, hash_file, kind_of, runtime_files, walk

RENAME_EXCHANGE = 2
AT_FDCWD = -100
NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


class Side(NamedTuple):
    """One of the two trees between which runtime files go over."""

    root: Path
    fixed: Collection[str]  # the files that are not the host's
    name: str  # of the release, for what is kept aside


class Survey(NamedTuple):
    """What lies in a tree, by whom it belongs to."""

    others: dict[str, os.stat_result]  # such as Airflow or Python would load, and in a full survey those of the release
    runtime: dict[str, os.stat_result]
    empty: list[str]  # folders
    links: dict[str, str]  # our own, to where a runtime file lies


def survey(place: Place, root: Path, fixed: Collection[str], full: bool = True) -> Survey:
    """Look at a tree; where there is none, nothing is found.

    :param full: whether to look also at what is fixed, which takes its time.
    """
    found, links, code = walk(root, () if full else fixed), {}, set()
    for path, info in found.files.items():
        if kind_of(info.st_mode) == "link" and path not in fixed:
            with suppress(*GONE, OSError):
                target = os.readlink(root / path)  # noqa: PTH115 - Path would tidy it up
                if is_ours(place, path, target):
                    links[path] = target
                elif holds_code(root / path):
                    code.add(path)
    files = {path: info for path, info in found.files.items() if path not in links}
    named = place.named
    own = runtime_files(files, fixed, named) - {path for path in code if path not in named}
    return Survey(
        {path: info for path, info in files.items() if path not in own},
        {path: files[path] for path in own},
        found.empty,
        links,
    )


def is_ours(place: Place, path: str, target: str) -> bool:
    """Say whether a link is one of ours: it leads to the same path of the live tree, or of another release."""
    if target == f"{place.dags}/{path}":
        return True
    release, _, below = target[len(f"{place.releases}/") :].partition("/")
    return target.startswith(f"{place.releases}/") and bool(release) and below == path


def links_to_ours(place: Place, path: str, full: Path) -> bool:
    """Say whether what lies at a path is one of our links."""
    return full.is_symlink() and is_ours(place, path, os.readlink(full))  # noqa: PTH115


def leads_to_ours(place: Place, root: Path, path: str) -> bool:
    """Say whether a path of a tree is one of our links, or leads through one."""
    return any(links_to_ours(place, one, root / one) for one in (*folders_above(path), path))


def holds_code(link: Path) -> bool:
    """Say whether a link leads to a folder in which Airflow would look for DAGs and find some."""
    return link.is_dir() and any(each.name.lower().endswith(LOADED) for each in link.iterdir())


def units(runtime: Collection[str], empty: Collection[str], others: Iterable[str]) -> list[str]:
    """Return what goes over as a whole: the topmost folders that hold nothing but runtime files, and files elsewhere.

    :param others: paths that are a release's, in the one tree or the other.
    """
    if not runtime and not empty:
        return []
    shared = {folder for path in others for folder in folders_above(path)}
    steps = ((*folders_above(path), path) for path in chain(runtime, empty))
    tops = (next((one for one in each if one not in shared), "") for each in steps)
    return sorted({*tops} - {""})


def fits(side: Side, path: str) -> bool:
    """Say whether a tree has room for a runtime file: its path is not the release's, nor leads through a file."""
    above = folders_above(path)
    if path in side.fixed or any(folder in side.fixed for folder in above):
        return False
    return all(is_folder(side.root / folder) or not os.path.lexists(side.root / folder) for folder in above)


def announce(place: Place, source: Side, target: Side, lies: Path) -> list[str]:
    """Show the runtime files of the live tree in the next one, by links; return what is to go over.

    :param lies: where the live tree lies after the switch.
    """
    found, there = (
        survey(place, source.root, source.fixed, full=False),
        survey(place, target.root, target.fixed, full=False),
    )
    todo = units(found.runtime, found.empty, chain(found.others, there.others, source.fixed, target.fixed))
    links = {path: f"{lies}/{path}" for path in todo}
    # What could not go over in an earlier switch lies in an older release still.
    elsewhere = {f"{place.dags}/", f"{target.root}/"}
    links |= {path: to for path, to in found.links.items() if to.removesuffix(path) not in elsewhere}
    for path in there.links.keys() - links.keys():
        (target.root / path).unlink()  # of a file that is no more; it would lead to itself
    # A file that is the host's in the live tree only, as one of a package that the next release does not bring, stays.
    links = {path: to for path, to in links.items() if fits(target, path) and path not in there.others}
    for path, to in links.items():
        if there.links.get(path) != to:
            put_link(place, target.root, path, to)
    return [path for path in todo if path in links]


def put_link(place: Place, root: Path, path: str, to: str) -> None:
    """Make a link by one rename, in a folder that may be missing; a folder in its place stays."""
    place.make_folders(str(root), path.rpartition("/")[0], set())
    spare = spare_name(place)
    spare.symlink_to(to)
    with suppress(IsADirectoryError):
        spare.rename(root / path)
    spare.unlink(missing_ok=True)


def spare_name(place: Place) -> Path:
    """Return a name that is free, on the file system of the releases."""
    spare = place.releases / ".runtime"
    spare.unlink(missing_ok=True)
    return spare


def pin(place: Place, source: Side, target: Side, paths: Iterable[str]) -> dict[str, int]:
    """Give the next tree the inodes of runtime files, in the last moment before the switch; return them.

    So whoever writes to such a file in the one tree writes to it in the other. A link stays where there is a folder,
    and where the system refuses: of files of another account, for example.
    """
    pinned = {}
    for path in paths:
        spare = spare_name(place)
        with suppress(OSError):
            info = (source.root / path).lstat()
            os.link(source.root / path, spare, follow_symlinks=False)
            spare.rename(target.root / path)
            pinned[path] = info.st_ino
        spare.unlink(missing_ok=True)
    return pinned


def swap(place: Place, one: Path, other: Path) -> None:
    """Exchange two names, at once where the file system can."""
    if not exchange(one, other):
        spare = place.releases / ".runtime.swap"
        other.rename(spare)
        one.rename(other)
        spare.rename(one)


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


class Gathered(NamedTuple):
    """What became of runtime files that were not in the live tree."""

    kept: list[str]  # where older ones lie now
    hidden: list[str]  # paths that stay in their release, for the live one brings such a file itself
    stuck: list[str]  # paths that stay, for the account may not move them; the live tree has links to them


class Carrier:
    """Brings the runtime files that lie in a tree into the live one; of two the newer wins, the other is kept aside.

    :param pinned: the inodes that both trees had in the moment of the switch.
    """

    def __init__(self, place: Place, source: Side, target: Side, pinned: Mapping[str, int]) -> None:
        self.place, self.source, self.target, self.pinned = place, source, target, pinned
        self.report = Gathered([], [], [])

    def bring(self, path: str) -> None:
        """Bring what lies at a path, a file or a folder."""
        old, new = self.source.root / path, self.target.root / path
        try:
            if not os.path.lexists(old):
                self._gone(path, new)
            elif self._ours(path, old):
                pass
            elif not self._ours(path, new) and not fits(self.target, path):
                self.report.hidden.append(path)
            elif not os.path.lexists(new) and self._is_pinned(path, old):
                old.unlink()  # it was deleted after the switch
            else:
                self._bring(path, old, new)
        except GONE:
            self._gone(path, new)
        except OSError:
            self.report.stuck.append(path)

    def _gone(self, path: str, new: Path) -> None:
        """Follow a task that has removed a file while the switch went on."""
        with suppress(*GONE):
            if self._is_pinned(path, new) or (self._ours(path, new) and not new.exists()):
                new.unlink()

    def _bring(self, path: str, old: Path, new: Path) -> None:
        if not os.path.lexists(new):
            self._link(self.target.root, path, str(old))
        if self._ours(path, new):
            swap(self.place, old, new)
            if self._ours(path, old):
                self._park(path, old.lstat().st_ino)
            else:  # a task has written a new one in this very moment
                swap(self.place, old, new)
                self.bring(path)
        elif is_folder(old) and is_folder(new):
            for name in sorted(each.name for each in old.iterdir()):
                self.bring(f"{path}/{name}")
            with suppress(OSError):
                old.rmdir()
                self._link(self.source.root, path, f"{self.place.dags}/{path}")
        elif is_folder(old) or is_folder(new):
            self.report.hidden.append(path)
        else:
            self._newest(path, old, new)

    def _newest(self, path: str, old: Path, new: Path) -> None:
        same, newer = _same(old, new), old.lstat().st_mtime_ns > new.lstat().st_mtime_ns
        # What both had in the switch is older than what has come in its place in one of them, whatever their times say.
        if not same and not self._is_pinned(path, old) and (newer or self._is_pinned(path, new)):
            swap(self.place, old, new)
        if same or self._is_pinned(path, old):
            self._park(path, old.lstat().st_ino)
        else:
            self.report.kept.append(aside(self.place, self.source, path))
            self._link(self.source.root, path, f"{self.place.dags}/{path}")

    def _park(self, path: str, inode: int) -> None:
        """Leave a link to the live file, for processes that stand in the release that was live before.

        What has come in the place of the file meanwhile is brought in its turn.
        """
        old, spare = self.source.root / path, spare_name(self.place)
        spare.symlink_to(f"{self.place.dags}/{path}")
        swap(self.place, spare, old)
        if spare.lstat().st_ino != inode:
            swap(self.place, spare, old)
            self.bring(path)
        spare.unlink(missing_ok=True)

    def _link(self, root: Path, path: str, to: str) -> None:
        """Make a link where nothing is; what has come there meanwhile stays."""
        self.place.make_folders(str(root), path.rpartition("/")[0], set())
        with suppress(FileExistsError):
            (root / path).symlink_to(to)

    def _is_pinned(self, path: str, full: Path) -> bool:
        return path in self.pinned and self.pinned[path] == full.lstat().st_ino

    def _ours(self, path: str, full: Path) -> bool:
        return links_to_ours(self.place, path, full)


def aside(place: Place, side: Side, path: str) -> str:
    """Keep a runtime file under a name that says when it was written; return it."""
    seconds, rest = divmod((side.root / path).lstat().st_mtime_ns, 10**9)
    written = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest:09d}Z"
    kept = place.kept(side.name) / f"{path}~{written}"
    while os.path.lexists(kept):
        kept = kept.with_name(f"{kept.name}~")
    place.make_folders(str(place.kept(side.name)), path.rpartition("/")[0], set())
    (side.root / path).rename(kept)
    return str(kept)


def is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(one: Path, other: Path) -> bool:
    """Say whether two files hold the same."""
    first, second = one.lstat(), other.lstat()
    if first.st_ino == second.st_ino:
        return True
    kinds = {kind_of(info.st_mode) for info in (first, second)}
    if kinds == {"link"}:
        return one.readlink() == other.readlink()
    if kinds & {"link", "other"} or first.st_size != second.st_size:
        return False
    return hash_file(str(one)) == hash_file(str(other))


def gather(
    place: Place, source: Side, target: Side, announced: Iterable[str] = (), pinned: Mapping[str, int] | None = None
) -> Gathered:
    """Bring the runtime files that lie in a release, and not in the live tree, there.

    :param announced: what was to go over in the switch.
    """
    carrier = Carrier(place, source, target, pinned or {})
    found = survey(place, source.root, source.fixed, full=False)
    here = units(found.runtime, found.empty, chain(found.others, source.fixed, target.fixed))
    for path in sorted({*announced, *here}):
        carrier.bring(path)
    return carrier.report


def cross(
    place: Place, source: Side, target: Side, lies: tuple[Path, Path], flip: Callable[[], None]
) -> dict[str, list[str]]:
    """Let the runtime files go over from one tree to another, which becomes live by `flip`; return what did not.

    :param lies: where the two trees lie after the switch.
    """
    before = gather(place, target, source)  # of what is live again, what processes have written there meanwhile
    announced = announce(place, source, target, lies[0])
    pinned = pin(place, source, target, announced)
    try:
        flip()
    except OSError:
        for path in pinned:
            (target.root / path).unlink()
        raise
    found = gather(place, source._replace(root=lies[0]), target._replace(root=lies[1]), announced, pinned)
    return {**found._asdict(), "kept": [*before.kept, *found.kept]}


def side(place: Place, release_id: str) -> Side | None:
    """Return the tree of a release; None where nobody knows which files are the host's, as its manifest was lost."""
    known = place.known(release_id, unfinished=True)
    return Side(place.release(release_id), known.files, release_id) if known else None


def live_side(place: Place, brought: Iterable[str] = ()) -> Side | None:
    """Return the live tree, None when there is none or its manifest was lost.

    :param brought: of a plain folder, which has no manifest: what the next release brings.
    """
    live = place.live_id()
    if live is None:
        return Side(place.dags, frozenset(brought), "plain") if place.is_folder() else None
    return side(place, live)


def left_side(place: Place, release_id: str) -> Side | None:
    """Return the tree of a release that is not live.

    What was carried into it is a copy, whatever it is, unless the live tree has the file itself since.
    """
    known, root = place.known(release_id, unfinished=True), place.release(release_id)
    carried = known.fields.get("carried", []) if known else []
    copies = [path for path in carried if not leads_to_ours(place, root, path)]
    return Side(root, {*known.files, *copies}, release_id) if known else None


def gather_all(place: Place, last: str | None) -> list[str]:
    """Bring into the live tree what processes have written that still stand in other releases; return what was kept.

    :param last: the release that was live before, in which a look was taken already.
    """
    target, looked_at = live_side(place), (last, place.live_id())
    kept = []
    for name in release_ids(place, unfinished=True) if target else []:
        with suppress(AgentError):  # a manifest that is none; whoever needs it says so
            source = None if name in looked_at else left_side(place, name)
            if source and target:
                kept += gather(place, source, target).kept
    return kept


def is_empty(place: Place, release_id: str) -> bool:
    """Bring the host's files that lie in a release into the live tree; say whether none is left."""
    source, target = left_side(place, release_id), live_side(place)
    if source and target:
        gather(place, source, target)
    return source is None or not survey(place, source.root, source.fixed, full=False).runtime


def empty_out(place: Place, release_id: str) -> bool:
    """Take the host's files out of a release that is to go, into the live tree or aside; say whether all are."""
    source = left_side(place, release_id)
    if source is None or is_empty(place, release_id):
        return True
    try:
        for path in survey(place, source.root, source.fixed, full=False).runtime:
            aside(place, source, path)
    except OSError:
        return False
    return True
