"""What was measured, by way, work, hosts and files; kept as JSON, so that parts can be measured on their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from bench.measure import Run


@dataclass(frozen=True, order=True)
class Case:
    """What was delivered: by which way, which work, to how many hosts, how many files."""

    way: str
    work: str
    hosts: int
    files: int

    def exceeds(self, other: Case) -> bool:
        """Tell whether this is the same, or more of the same, than the other."""
        same = (self.way, self.work) == (other.way, other.work)
        return same and self.hosts >= other.hosts and self.files >= other.files


@dataclass
class Results:
    """All runs by case; the last measurement of a case replaces an older one."""

    runs: dict[Case, list[Run]] = field(default_factory=dict)

    def seconds(self, case: Case) -> float | None:
        """Return the median time; None when the case was stopped, or never measured."""
        runs = self.timed(case)
        return median(run.seconds for run in runs if run.seconds is not None) if runs and not self.late(case) else None

    def timed(self, case: Case) -> list[Run]:
        """Return the runs of a case in which nobody looked at the memory."""
        return [run for run in self.runs.get(case, ()) if run.memory is None]

    def late(self, case: Case) -> bool:
        """Tell whether a case was stopped, or a smaller one was, so that this one need not be tried."""
        return any(
            case.exceeds(other) and any(run.seconds is None for run in runs) for other, runs in self.runs.items()
        )

    def wire(self, case: Case) -> float | None:
        """Return the median of the bytes that crossed the network."""
        runs = [] if self.late(case) else self.timed(case)
        return median(run.wire for run in runs) if runs else None

    def memory(self, way: str, hosts: int, files: int) -> int | None:
        """Return the most memory of the controller's processes that was seen in a way's runs."""
        seen = [
            run.memory
            for case, runs in self.runs.items()
            if (case.way, case.hosts, case.files) == (way, hosts, files)
            for run in runs
            if run.memory is not None
        ]
        return max(seen, default=None)

    def sizes(self) -> list[tuple[int, int]]:
        """Return the pairs of hosts and files that were measured, the smallest trees first."""
        return sorted({(case.hosts, case.files) for case in self.runs}, key=lambda pair: (pair[1], pair[0]))


def load(path: Path) -> Results:
    """Read results; a file that is missing holds none."""
    if not path.exists():
        return Results()
    rows = json.loads(path.read_text("utf-8"))
    return Results({Case(**row["case"]): [Run(**run) for run in row["runs"]] for row in rows})


def save(results: Results, path: Path) -> None:
    """Write results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: Iterable[object] = (
        {"case": asdict(case), "runs": [asdict(run) for run in runs]} for case, runs in sorted(results.runs.items())
    )
    path.write_text(json.dumps(list(rows), indent=1) + "\n", encoding="utf-8")
