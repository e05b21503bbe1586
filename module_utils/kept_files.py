"""Files of which the newest few are kept."""

from __future__ import annotations

import os
import time
from pathlib import Path


def write_kept(folder: Path, suffix: str, content: bytes) -> Path:
    """Write a file named after the time, safe against a power cut.

    :raises OSError: when it can't be written; nothing is left of it then.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seconds, rest = divmod(time.time_ns(), 10**9)  # to the nanosecond: no two files get one name
    stamp = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest:09d}Z"
    path = folder / f"{stamp}{suffix}"
    temporary = folder / f".{path.name}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return path


def prune_kept(folder: Path, suffix: str, keep: int) -> None:
    """Remove the oldest files beyond ``keep``; the newest stays in any case."""
    for old in sorted(folder.glob(f"[0-9]*{suffix}"))[: -max(keep, 1)]:
        old.unlink()
