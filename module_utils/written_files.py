"""Bring files to what is wanted, and keep what somebody else has written into them meanwhile.

What was written last is remembered by its digest, in a folder of root that no other account can reach into; what is
about to be replaced and is something else is copied beside it first. Copies hold secrets, so only root may read them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.kept_files import prune_kept, write_kept
from ansible.module_utils.owned_files import File, Owner, acting_as, check_readable, read, write

# Not below /var/lib/airflow-ops, which belongs to airflow where its locks lie.
STATE = Path("/var/lib/airflow-ops-files")
KEPT = 20  # copies of one file


def bring(
    wanted: Mapping[str, File], owner: Owner, dry: bool, keep: bool = True
) -> tuple[dict[str, File | None], list[str]]:
    """Bring the files to what is wanted, or only look.

    Return the files that differed with what they were, and sentences on those that somebody else had written.

    :param keep: whether these are kept; not where nobody writes by hand.
    :raises OSError: when a file cannot be written; one that could not be read or kept is not replaced.
    """
    with acting_as(owner):
        before = {path: read(path) for path in wanted}
        for path in (path for path, found in before.items() if keep and found is None):
            check_readable(path, owner)
    differing = {path: found for path, found in before.items() if found != wanted[path]}
    strange = {path: found for path, found in differing.items() if keep and found and _is_strange(path, found, wanted)}
    told = [_keep(path, found, dry) for path, found in strange.items()]
    if not dry:
        with acting_as(owner):
            for path in differing:
                write(Path(path), wanted[path])
        for path, file in wanted.items() if keep else ():
            _remember(path, file)
    return differing, told


def _is_strange(path: str, found: File, wanted: Mapping[str, File]) -> bool:
    """Say whether the content is about to be replaced and is not what we wrote last."""
    return found.content != wanted[path].content and _remembered(path) != _digest(found)


def _keep(path: str, found: File, dry: bool) -> str:
    """Copy a file that is about to be replaced; return the sentence that says so."""
    what = "was changed by hand since it was last written" if _remembered(path) else "was not written by this version"
    about = f"On {platform.node()} {path} {what}"
    if dry:
        return f"{about}; what it holds would be kept below {STATE}/edited."
    folder = _closed() / "edited" / path.lstrip("/")
    copy = write_kept(folder, "", found.bytes)
    prune_kept(folder, "", KEPT)
    return f"{about}; what it held is kept in {copy}."


def _remembered(path: str) -> str:
    """Return the digest of what we wrote last, '' where nobody knows."""
    record = _record(path)
    return record.read_text(encoding="ascii").strip() if record.is_file() else ""


def _remember(path: str, file: File) -> None:
    if _remembered(path) != _digest(file):
        _closed()
        _record(path).parent.mkdir(parents=True, exist_ok=True)
        _record(path).write_text(f"{_digest(file)}\n", encoding="ascii")


def _record(path: str) -> Path:
    return STATE / "written" / path.lstrip("/")


def _digest(file: File) -> str:
    return hashlib.sha256(file.bytes).hexdigest()


def _closed() -> Path:
    """Return the folder of our state, which only we may enter.

    :raises OSError: when it is somebody else's, or a link.
    """
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = STATE.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(1, "It is no folder of root", str(STATE))
    return STATE
