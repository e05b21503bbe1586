"""Runs as root on a host: which releases a process of any account stands in; it only looks in /proc.

A process stands in a folder when its working folder, its root, its program, or a file that it has open or mapped lies
there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress


def places(process: str) -> Iterator[str]:
    """Yield the paths in which a process stands; one that ends meanwhile stands nowhere."""
    links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
    with suppress(OSError):
        links += [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]  # noqa: PTH208
    for link in links:
        with suppress(OSError):
            yield os.readlink(link)  # noqa: PTH115 - Path would tidy it up
    with suppress(OSError), open(f"{process}/maps", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
        for line in lines:
            _, slash, path = line.rstrip("\n").partition("/")
            yield slash + path


def standing(releases: str, names: list[str], proc: str = "/proc") -> dict[str, list[int]]:
    """Return the processes that stand in some of the folders below `releases`, by its name.

    What was removed or has another name since does not count: a file that a task has open may be the live tree's now.
    """
    prefix = f"{os.path.realpath(releases)}/"
    found: dict[str, list[int]] = {}
    for process in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):  # noqa: PTH208
        paths = [path for path in places(f"{proc}/{process}") if path.startswith(prefix) and os.path.lexists(path)]
        for name in {path[len(prefix) :].partition("/")[0] for path in paths}.intersection(names):
            found.setdefault(name, []).append(process)
    return found


if __name__ == "__main__":
    print(json.dumps(standing(sys.argv[1], sys.argv[2:])))
