"""A command with all that it started, also what has a session of its own, as Ansible's workers have."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from pathlib import Path


def family(pid: int) -> list[int]:
    """Return a process and its descendants, parents first."""
    children = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended
            children[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(int(folder.name))
    found = [pid]
    for one in found:
        found += children[one]
    return found


def kill(pid: int) -> None:
    """End a process and its descendants at once, as a power cut does; none of them may do more meanwhile."""
    for sent in (signal.SIGSTOP, signal.SIGKILL):
        for one in family(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, sent)
