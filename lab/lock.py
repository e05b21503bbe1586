"""File locks between runs of the lab."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path) -> Iterator[IO[str]]:
    """Hold an exclusive lock on the file ``path``, made when missing, and give the open file.

    The holder may delete the file: whoever waited for it then takes the lock on the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == Path(f"/proc/self/fd/{file.fileno()}").stat().st_ino:
                yield file
                return
