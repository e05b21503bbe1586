"""What a run was asked to do and what it did."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

from airflow_ops.dag_release.agent.tree import NEIGHBOURS
from airflow_ops.dag_release.fleet import Host, Outcome

ID_TIME = "%Y%m%dT%H%M%SZ"


class ReleaseError(Exception):
    """A release that is refused or failed, with the sentence that says why and what state that leaves.

    `kind` is for programs: ``refused`` (the order itself is wrong), ``locked`` (another run is busy), ``unreachable``
    (hosts did not answer and nothing else was wrong), or empty. `hosts` are those to blame.
    """

    def __init__(self, message: str, kind: str = "", hosts: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kind, self.hosts = kind, sorted(hosts)


@dataclass(frozen=True)
class Target:
    """Where releases go.

    The `first` hosts (workers) become live before the `last` (scheduler, web server, triggerer).
    """

    dags: str  # the dags folder on the hosts
    user: str
    group: str
    first: list[Host]
    last: list[Host]
    scheduler: Host  # holds the lock and the record of hosts that are behind
    left_out: list[Host] = field(default_factory=list)  # those that the limit leaves out
    queues: Mapping[str, list[str]] = field(default_factory=dict)  # those that each worker listens to
    plugins: str = ""  # the folder from which Airflow reads its plugins on the hosts
    lock_file: str = "/var/lib/airflow-ops/locks/dag_release.json"
    lock_wait: float = 0
    allow_missing: bool = False
    file_mode: int = 0o640
    folder_mode: int = 0o750
    runtime: tuple[tuple[bool, str], ...] = ()  # what names runtime files, as `tree.named` makes it

    @property
    def releases(self) -> str:
        """Return the folder of the releases on the hosts."""
        return f"{Path(self.dags).parent}/dag_releases"

    @property
    def hosts(self) -> list[Host]:
        return [*self.first, *self.last]

    @property
    def place(self) -> dict[str, Any]:
        """Return what the agents need to know."""
        modes = {"folder_mode": self.folder_mode, "file_mode": self.file_mode}
        return {"dags": self.dags, "group": self.group, **modes, "runtime": self.runtime}


@dataclass(frozen=True)
class Source:
    """Where a tree comes from."""

    folder: Path
    repo: str = ""
    version: str = "HEAD"
    subfolder: str = ""  # of the repository; empty for all of it
    allow_dirty: bool = False
    allow_empty: bool = False
    ignore_file: str = ".dagreleaseignore"
    airflow_ignore_syntax: str = "regexp"  # how Airflow reads .airflowignore: "regexp" or "glob"
    safe_mode: bool = True  # Airflow loads only files with the words "dag" and "airflow"
    skip_checks: frozenset[str] = frozenset()
    check_ignore: tuple[str, ...] = ()  # patterns in gitignore syntax of files whose content is not checked
    max_file_size: int = 1 << 30
    extra: dict[str, Path] = field(default_factory=dict)  # files from elsewhere by their path in the release
    neighbours: list[str] = field(default_factory=list)  # names of folders beside the tree that come with it
    plugins: str = "plugins"  # the folder of Airflow's plugins beside the tree; empty for none
    beside: Mapping[str, Path] = field(default_factory=dict)  # the folders of all these, by their names on the hosts
    files: list[str] = field(default_factory=list)  # only these, on top of what is live
    remove: list[str] = field(default_factory=list)  # without these

    def unchecked(self, name: str) -> bool:
        """Say whether the content of a file is not to be checked."""
        return self._unchecked.match_file(name)

    @cached_property
    def _unchecked(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self.check_ignore)

    @property
    def is_partial(self) -> bool:
        """Say whether the release is the live one with some files replaced."""
        return bool(self.files or self.remove)

    def root_of(self, name: str) -> tuple[Path, str]:
        """Return the folder in which a file of the release lies, and how the names of its files begin."""
        for own, folder in self.beside.items():
            if name.startswith(f"{NEIGHBOURS}/{own}/"):
                return folder, f"{NEIGHBOURS}/{own}/"
        return self.folder, ""

    def path_of(self, name: str) -> Path:
        """Return where a file of the release lies."""
        folder, prefix = self.root_of(name)
        return folder / name.removeprefix(prefix)


@dataclass(frozen=True)
class Parse:
    """How the hosts' own Airflow loads the tree."""

    wanted: bool
    python: str
    environment: dict[str, str]
    limit: float  # seconds


@dataclass(frozen=True)
class Keep:
    """Which releases and files stay."""

    releases: int
    minutes: int
    unmanaged: str  # "carry" or "drop"


@dataclass(frozen=True)
class Order:
    """What is to be delivered, and how."""

    source: Source
    parse: Parse
    keep: Keep


@dataclass
class Report:
    """What a run did or, in check mode, would do."""

    release: str
    changed: list[str] = field(default_factory=list)  # hosts
    files: int = 0
    lines: list[str] = field(default_factory=list)  # what differs, as a diff shows it
    notes: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)  # hosts whose plain dags folder became a release
    plugins: list[str] = field(default_factory=list)  # hosts on which what reads the plugins may have to restart


def demand(outcome: Outcome, state: str) -> None:
    """Stop unless every host did its part; `state` says what that leaves behind."""
    if outcome.bad:
        named = [f"{names} could not be reached ({why})" for why, names in _by_reason(outcome.unreachable)]
        named += [f"{names} failed ({why})" for why, names in _by_reason(outcome.failed)]
        kind = "" if outcome.failed else "unreachable"
        sentence = f"{'; '.join(named)}; {state}, repeat the command when the cause is mended."
        raise ReleaseError(sentence, kind, outcome.bad)


def _by_reason(bad: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the reasons, each once, with the hosts that give it."""
    hosts: dict[str, list[str]] = {}
    for name, why in sorted(bad.items()):
        hosts.setdefault(why, []).append(name)
    return [(why, ", ".join(names)) for why, names in hosts.items()]


def who() -> str:
    """Return the account and machine from which a run is made."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def id_time(moment: datetime) -> str:
    """Return a time as an id begins with it."""
    return moment.strftime(ID_TIME)
