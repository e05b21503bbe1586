"""The lock of DAG releases: a lease in a file on the scheduler host, so that all controllers see the same one."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.place import AgentError

LEASE = 60.0  # seconds; renewed with every sign of life of the controller
BOOT = Path("/proc/sys/kernel/random/boot_id")


def is_stale(holder: dict[str, Any], now: float, boot: str, alive: bool) -> bool:
    """Say whether the run that holds the lock is gone.

    :param now: time of this host, on whose clock the lease was written.
    :param alive: whether the holder's process, which is one of this host, still runs.
    """
    return holder.get("boot") != boot or not alive or float(holder.get("expires", 0)) < now


class Lock:
    """A lock file and the token with which this process took it, empty while it has not."""

    def __init__(self, path: Path) -> None:
        self.path, self.token = path, ""

    def take(self, who: str, where: str, what: str) -> dict[str, Any] | None:
        """Take the lock and return None, or return who holds it."""
        boot, now = BOOT.read_text().strip(), time.time()
        with self._alone():
            holder = self.holder()
            if holder and not is_stale(holder, now, boot, Path(f"/proc/{holder.get('pid')}").exists()):
                return holder
            self.token = os.urandom(8).hex()
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
            about = {"who": who, "where": where, "what": what, "since": since}
            self._write({**about, "pid": os.getpid(), "boot": boot, "token": self.token, "expires": now + LEASE})
        return None

    def holder(self) -> dict[str, Any] | None:
        """Return what the lock file says, None where there is none or it is not whole."""
        try:
            return dict(json.loads(self.path.read_text("utf-8")))
        except (FileNotFoundError, ValueError):
            return None

    def renew(self) -> None:
        """Prolong the lease."""
        with self._alone():
            self._write({**self._own(), "expires": time.time() + LEASE})

    def release(self) -> None:
        """Give the lock back."""
        with self._alone():
            self._own()
            self.path.unlink()
        self.token = ""

    def _own(self) -> dict[str, Any]:
        holder = self.holder()
        if not holder or holder.get("token") != self.token:
            raise AgentError(f"{self.path} was taken over by another run ({describe(holder)})")
        return holder

    def _write(self, content: dict[str, Any]) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.rename(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise AgentError(
                f"{self.path.parent} cannot be read ({error.strerror}); run site.yml --tags airflow"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        except PermissionError as error:
            raise AgentError(
                f"{self.path.parent} cannot be written by this account; run site.yml --tags airflow"
            ) from error
        finally:
            os.close(descriptor)


def describe(holder: dict[str, Any] | None) -> str:
    """Return who holds a lock, as a part of a sentence."""
    if not holder:
        return "nobody holds it"
    return f"{holder['who']} holds the lock of DAG releases since {holder['since']} ({holder['what']})"
