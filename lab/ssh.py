"""Connections from this machine to hosts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess

from lab.settings import Settings
from lab.shell import run


def close_shared(settings: Settings, host: str) -> None:
    """End the lab's own shared connection to a host that is about to go."""
    if settings.ssh_config.exists() and settings.runtime.exists():
        command = ["ssh", "-F", str(settings.ssh_config), "-O", "exit", host]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def end_stale(address: str) -> None:
    """End ssh clients that hold a connection to a host that does not run.

    Ansible's kept-open connections outlive a host that had no time to close them; through such a one, the next login
    at this address would hang or fail.
    """
    for pid in clients(run(["ss", "--no-header", "--tcp", "--numeric", "--processes", "dst", address])):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def clients(listing: str) -> list[int]:
    """Return the process ids of ssh clients in the output of ``ss``."""
    return sorted({int(pid) for pid in re.findall(r'\("ssh",pid=(\d+),', listing)})
