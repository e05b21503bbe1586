"""What is kept of each run: a folder with record.json and the log, for this account's eyes only."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from airflow_ops.cli.values import BadValue

KEEP = 200  # records
KEEP_DAYS = 90
ID_TIME = "%Y%m%dT%H%M%SZ"


@dataclass
class Record:
    """One run: who, when, what, and what came of it."""

    id: str
    who: str
    where: str
    started: str
    environment: str
    verb: str
    variables: dict[str, Any] = field(default_factory=dict)  # without secrets
    limit: str = ""
    check: bool = False
    seconds: float | None = None
    outcome: str = "running"
    exit_code: int | None = None
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    resumable: bool = True  # false when variables held secrets, which are not kept


def state_folder(variables: Mapping[str, str]) -> Path:
    """Return the folder of this account's records."""
    named = variables.get("AIRFLOW_OPS_STATE")
    base = Path(variables.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    return Path(named).expanduser() if named else base / "airflow-ops"


class Records:
    """The records in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "runs"

    def new(self, record: Record) -> IO[str]:
        """Begin a record; return its log, open."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.folder.parent, self.folder):
            folder.chmod(0o700)
        self.prune(datetime.now(timezone.utc))
        (self.folder / record.id).mkdir(mode=0o700)
        self.save(record)
        return os.fdopen(os.open(self.log(record.id), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8")

    def save(self, record: Record) -> None:
        """Write a record; a reader sees the old one or the new one."""
        path = self.folder / record.id / "record.json"
        text = json.dumps(asdict(record), ensure_ascii=False, indent=1) + "\n"
        with os.fdopen(
            os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        Path(f"{path}.new").replace(path)

    def log(self, name: str) -> Path:
        """Return the path of the log of a run."""
        return self.folder / name / "log"

    def all(self) -> Iterator[Record]:
        """Yield the records, the newest first; one that cannot be read is left out."""
        for path in sorted(self.folder.glob("*/record.json"), reverse=True):
            try:
                yield Record(**json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                continue

    def find(self, name: str) -> Record:
        """Return a record by its id, by the beginning of it, or by the word `last`."""
        records = list(self.all())
        found = records[:1] if name == "last" else [record for record in records if record.id.startswith(name)]
        exact = [record for record in found if record.id == name] or found
        if len(exact) == 1:
            return exact[0]
        why = "no run" if not exact else f"{len(exact)} runs"
        raise BadValue(f"{why} with the id {name!r}; airflow-ops runs lists them.")

    def prune(self, now: datetime) -> None:
        """Remove the records that are too many or too old."""
        names = sorted((path.name for path in self.folder.iterdir()), reverse=True)
        for position, name in enumerate(names):
            if position >= KEEP - 1 or age_in_days(name, now) > KEEP_DAYS:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def new_id(now: datetime) -> str:
    """Return an id that sorts by time."""
    return f"{now.strftime(ID_TIME)}-{secrets.token_hex(2)}"


def age_in_days(name: str, now: datetime) -> float:
    """Return the age of a record by its id."""
    try:
        begun = datetime.strptime(name.partition("-")[0], ID_TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return 0
    return (now - begun).total_seconds() / 86400
