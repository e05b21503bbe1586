"""What a proof took: ``python -m tests.proof`` prints the slowest tests and what was not run, from artifacts/junit/.

``python -m tests.proof record`` writes what each module took in the last `make faults` into tests/faults/seconds.yml.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import yaml

from lab.settings import REPOSITORY
from tests.faults import selection

REPORTS = REPOSITORY / "artifacts" / "junit"
SLOWEST = 10


def times(report: Path) -> dict[tuple[str, str], float]:
    """Return the seconds of each test in a report, by module (a path) and name."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        module = case.get("classname", "").replace(".", "/") + ".py"
        found[module, case.get("name", "")] = float(case.get("time", 0))
    return found


def slowest(reports: list[Path]) -> list[str]:
    """Return the lines of the slowest tests."""
    rows = [(took, f"{module}::{name}") for report in reports for (module, name), took in times(report).items()]
    return [f"{took:6.0f} s  {test}" for took, test in sorted(rows, reverse=True)[:SLOWEST]]


def fault_times(report: Path) -> dict[str, float]:
    """Return the seconds of each module of fault tests in a report, and of each smoke test."""
    smoke = {area.smoke for area in selection.areas().values()}
    sums: dict[str, float] = defaultdict(float)
    for (path, name), took in times(report).items():
        module = path.removeprefix("tests/faults/")
        sums[module] += took
        if f"{module}::{name}" in smoke:
            sums[f"{module}::{name}"] = took
    return dict(sums)


def record() -> None:
    """Write what the modules took, the last report's word; what no report has stays as it was."""
    took = selection.seconds()
    # Not the report of a proof: there a module may be its smoke test alone.
    for report in sorted(REPORTS.glob("faults*.xml"), key=lambda path: path.stat().st_mtime):
        took |= {name: round(time) for name, time in fault_times(report).items()}
    known = {name for area in selection.areas().values() for name in (*area.modules, area.smoke)}
    text = "# What each module of fault tests, and each smoke test, took in seconds: `python -m tests.proof record`.\n"
    rows = {name: took[name] for name in sorted(took) if name in known}
    (selection.FOLDER / "seconds.yml").write_text(text + yaml.safe_dump(rows, width=200), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        record()
    else:
        print("The slowest tests:", *slowest(list(REPORTS.glob("*.xml"))), sep="\n")
