"""A release on its way to a host: room for it, proof that it arrived, and what is carried over from the live tree."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent import beside
from airflow_ops.dag_release.agent.look import State, state
from airflow_ops.dag_release.agent.place import (
    ID,
    STAGING_PREFIX,
    AgentError,
    Manifest,
    Place,
    group_id,
    read_json,
    release_ids,
)
from airflow_ops.dag_release.agent.runtime import (
    Side,
    announce,
    empty_out,
    gather,
    is_empty,
    is_ours,
    leads_to_ours,
    left_side,
    live_side,
)
from airflow_ops.dag_release.agent.tree import NEIGHBOURS, Entry, digest, kind_of, mode_of, scan


def begin(place: Place, release_id: str, size: int, count: int, files: list[list[str]]) -> dict[str, Any]:
    """Begin a tree, after a look at the free space; rsync brings the files that this host lacks.

    :param files: path, kind and content of all files, as in `Entry`.
    """
    writable(place)
    place.make_releases()
    clean(place)  # first: what a killed run has left takes room
    room(place.releases, size, count)
    folder = place.staging(release_id)
    for made in (folder.parent, folder):
        made.mkdir()
        place.own(made, place.folder_mode)
    return {"staging": str(folder), "lacks": fill(place, folder, files)}


def preview(place: Place, size: int, count: int, files: list[list[str]]) -> dict[str, Any]:
    """Make a folder in the host's temporary folder, for a tree that is only parsed; it goes when the agent ends."""
    folder = Path(tempfile.mkdtemp(prefix="dag-release-"), place.dags.name)
    room(folder.parent, size, count)
    folder.mkdir()
    return {"staging": str(folder), "lacks": fill(place, folder, files)}


def fill(place: Place, folder: Path, files: list[list[str]]) -> list[str]:
    """Make the folders and links of a tree and all files whose content the live tree has; return what is lacking.

    Files are copied and not linked: somebody edits in place, and the edit must not reach an older release. They keep
    their time, by which Airflow tells that they did not change.
    """
    staged, group = str(folder), group_id(place.group)
    have = {entry.content: entry for entry in state(place).entries if entry.kind in ("file", "program")}
    lacks, made = [], {""}
    for path, kind, content in files:
        place.make_folders(staged, path.rpartition("/")[0], made)
        own, known = f"{staged}/{path}", have.get(content)
        if kind == "link":
            os.symlink(content, own)  # noqa: PTH211
        elif known is None:
            lacks.append(path)
        else:
            shutil.copyfile(beside.path_of(place, known.path), own)
            os.chown(own, -1, group)
            os.chmod(own, mode_of(kind, place.file_mode))  # noqa: PTH101
            os.utime(own, ns=(known.written, known.written))
    beside.view(place, folder)
    return lacks


def writable(place: Place) -> None:
    """Refuse a host on which the link could not be made, before anything travels."""
    for folder in [place.dags.parent] + ([place.dags] if place.is_folder() else []):
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise AgentError(f"{folder} cannot be written ({error.strerror})") from error


def room(folder: Path, size: int, count: int) -> None:
    """Refuse a file system that lacks the bytes or inodes."""
    free = os.statvfs(folder)
    if free.f_bavail * free.f_frsize < size:
        raise AgentError(
            f"{folder} has {free.f_bavail * free.f_frsize >> 20} MiB free, the release needs {size >> 20} MiB"
        )
    if free.f_files and free.f_favail < count:
        raise AgentError(f"{folder} has {free.f_favail} inodes free and the release needs {count}")


def clean(place: Place) -> None:
    """Remove what runs that were killed have left: staged trees, and releases that were never live.

    A process may stand in one that was live for a moment: it goes as an old release does.
    """
    complete, live, ended = set(release_ids(place)), place.live_id(), read_json(place.ended)
    for name in complete:
        if not place.release(name).is_dir() or place.release(name).is_symlink():  # an adoption killed half way
            place.release(name).unlink(missing_ok=True)
            place.manifest(name).unlink()
    for path in place.releases.iterdir():
        name = path.name[: -len(".json.new")]
        if path.name.startswith(STAGING_PREFIX):
            shutil.rmtree(path)
        elif place.new_manifest(name) == path and ID.fullmatch(name) and name != live:
            if name not in complete:
                if name in ended or not is_empty(place, name):
                    continue  # what a task wrote there waits for a release that does not bring such a file
                shutil.rmtree(place.release(name), ignore_errors=True)
            path.unlink()
    if place.new_link.is_symlink():
        place.new_link.unlink()


def verify(staged: Path) -> list[Entry]:
    """Return what was staged, each file read anew."""
    return scan(staged)


def carry(place: Place, release_id: str, unmanaged: str, verified: dict[str, Entry]) -> dict[str, Any]:
    """Keep what the new release would lose: edited files aside, unmanaged ones in the new tree or aside.

    A file that the release has itself is not unmanaged any more; what differs from the release is kept aside. Runtime
    files go over in the switch; until then the new tree has links to them.
    """
    seen, staged = state(place, verified), place.staging(release_id)
    if seen.live == release_id:
        raise AgentError(f"{release_id} is live already; another run was faster")
    if seen.live is None:
        refuse_leading_out(place, [*seen.entries, *links_of(place, seen.runtime)])
    else:
        found = beside.to_take_over(place, verified)
        refuse_leading_out(place, [*found.entries, *links_of(place, found.runtime)])
    now = {entry.path: entry for entry in seen.entries}
    loose = [path for path in seen.unmanaged if path not in verified and carries(place, path)]
    carried = [path for path in loose if unmanaged == "carry" and fits(staged, path)]
    own = seen.edited + ([] if seen.adopted else seen.unmanaged)  # an adopted folder stays as it is for ever
    differing = [path for path in own if path in verified and now[path] != verified[path]]
    gone = [path for path in seen.edited if path not in verified]
    aside = differing + gone + [path for path in loose if path not in carried and not seen.adopted]
    for path in carried:
        copy(place, beside.path_of(place, path), staged, path)
    kept = [name for path in sorted(aside) for name in keep(place, seen, path)]
    if source := live_side(place, verified):
        announce(place, source, Side(staged, {*verified, *carried}, release_id), source.root)
    beside.keep_airflow_out(place, staged)
    return {"carried": carried, "kept": kept}


def links_of(place: Place, paths: Iterable[str]) -> list[Entry]:
    """Return those of some paths that are links."""
    full = {path: beside.path_of(place, path) for path in paths}
    return [Entry(path, "link", str(each.readlink())) for path, each in full.items() if each.is_symlink()]


def refuse_leading_out(place: Place, entries: list[Entry]) -> None:
    """Refuse a plain folder with links that would lead elsewhere from a release, where it lies deeper."""
    for entry in entries:
        if entry.kind == "link" and leads_out(entry.path, entry.content) and not leads_beside(place, entry):
            raise AgentError(
                f"{beside.path_of(place, entry.path)} is a relative link out of the folder (to {entry.content}), which "
                "would lead elsewhere from a release; make it absolute or remove it"
            )


def leads_out(path: str, target: str) -> bool:
    """Say whether a relative link of a tree leads out of it, or out of the neighbour that it lies in."""
    root = "/".join(path.split("/")[:2]) + "/" if path.startswith(f"{NEIGHBOURS}/") else ""
    leads = os.path.normpath(f"{path}/../{target}") + "/"
    return not target.startswith("/") and (leads.startswith("../") or not leads.startswith(root))


def leads_beside(place: Place, entry: Entry) -> bool:
    """Say whether a link leads to what lies beside the dags folder, and so does from a release, by a link there."""
    first, *parts = os.path.normpath(f"{entry.path}/../{entry.content}").split("/")
    return first == ".." and bool(parts) and parts[0] != ".." and os.path.lexists(place.releases / parts[0])


def keep_all(place: Place, release_id: str) -> dict[str, Any]:
    """Keep aside what was changed or added below the live link, before a release from before becomes live again.

    What was carried over lies in that release too, if it was there then.
    """
    seen = state(place)
    loose = [] if seen.adopted else seen.unmanaged
    added = [path for path in loose if path not in seen.carried and carries(place, path)]
    there = place.release(release_id)  # in which a link of ours may stand for what was a runtime file then
    lies = {path for path in seen.carried if os.path.lexists(there / path) and not leads_to_ours(place, there, path)}
    carried = [path for path in seen.carried if path not in lies]
    return {"kept": [name for path in sorted(seen.edited + added + carried) for name in keep(place, seen, path)]}


def carries(place: Place, path: str) -> bool:
    """Say whether a file can be copied at all; a pipe or device cannot."""
    full = beside.path_of(place, path)
    return full.is_symlink() or full.is_file()


def fits(staged: Path, path: str) -> bool:
    """Say whether the new tree has room for a path: nothing has its name there, and none of its folders is a file."""
    taken = os.path.lexists(staged / path)
    return not taken and not any(os.path.lexists(folder) and not folder.is_dir() for folder in (staged / path).parents)


def copy(place: Place, source: Path, root: Path, path: str) -> Path:
    """Copy one file below `root`, its folders with it, all for the group."""
    place.make_folders(str(root), path.rpartition("/")[0], set())
    shutil.copy2(source, root / path, follow_symlinks=False)
    if not (root / path).is_symlink():
        place.own(root / path, mode_of(kind_of(source.stat().st_mode), place.file_mode))
    return root / path


def keep(place: Place, seen: State, path: str) -> list[str]:
    """Keep a file of the live release aside."""
    if seen.live is None:
        return []  # the folder itself becomes a release
    (entry,) = [entry for entry in seen.entries if entry.path == path]
    kept = place.kept_as(seen.live, entry)
    if not os.path.lexists(kept):
        folder = place.kept(seen.live)
        copy(place, beside.path_of(place, path), folder, str(kept.relative_to(folder)))
    return [str(kept)]


def seal(place: Place, release_id: str, manifest: dict[str, Any], verified: dict[str, Entry]) -> dict[str, Any]:
    """Turn what was staged into a release; nothing is live yet, and its manifest waits until it is live everywhere."""
    staged, release = place.staging(release_id), place.release(release_id)
    left_out = set(manifest["carried"])
    keep_context(place, staged)  # first: it changes what the stamps of the files say
    files = {
        entry.path: entry
        for entry in scan(staged, verified)
        if entry.path not in left_out and not (entry.kind == "link" and is_ours(place, entry.path, entry.content))
    }
    if digest(files.values()) != manifest["digest"]:
        raise AgentError(f"{staged} was changed after it was verified")
    if release.exists():  # the host had it before, and it was not live: what was just proved takes its place
        if waiting := left_side(place, release_id):
            gather(place, waiting, Side(staged, files, release_id))
        if not empty_out(place, release_id):
            raise AgentError(f"{release} holds runtime files that this account cannot move; move them by hand")
        release.rename(place.scratch("before"))
    Manifest(manifest, files).write(place, place.new_manifest(release_id))
    staged.rename(release)
    shutil.rmtree(staged.parent)
    shutil.rmtree(place.scratch("before"), ignore_errors=True)
    sync(place.releases)
    return {}


def keep_context(place: Place, staged: Path) -> None:
    """Give a staged tree the SELinux context of the live one, where SELinux is on."""
    if Path("/sys/fs/selinux/enforce").exists() and place.dags.is_dir():
        chcon = ["chcon", "--recursive", f"--reference={place.dags.resolve()}", str(staged)]
        done = subprocess.run(chcon, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AgentError(f"the SELinux context of {place.dags} cannot be given to {staged} ({done.stderr.strip()})")


def sync(folder: Path) -> None:
    """Have the file system write what it holds back: after a power cut a release is whole or not there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        ctypes.CDLL(None).syncfs(descriptor)
    finally:
        os.close(descriptor)
