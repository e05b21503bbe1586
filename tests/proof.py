"""What a proof took: ``python -m tests.proof`` prints the slowest tests and what was not run, from artifacts/junit/.

``python -m tests.proof record`` writes what each module of fault tests took into tests/faults/seconds.yml.
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


def modules(reports: list[Path]) -> dict[str, float]:
    """Return the seconds of each module of fault tests in the reports."""
    sums: dict[str, float] = defaultdict(float)
    for report in reports:
        for (module, _), took in times(report).items():
            if module.startswith("tests/faults/"):
                sums[module.removeprefix("tests/faults/")] += took
    return dict(sums)


def record() -> None:
    """Write what the modules took, beside what others took when they were measured."""
    took = {**selection.seconds(), **{name: round(time) for name, time in modules(list(REPORTS.glob("*.xml"))).items()}}
    known = {module for area in selection.areas().values() for module in area.modules}
    text = "# What each module of fault tests took when measured, in seconds: `python -m tests.proof record`.\n"
    rows = {name: took[name] for name in sorted(took) if name in known}
    (selection.FOLDER / "seconds.yml").write_text(text + yaml.safe_dump(rows), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        record()
    else:
        print("The slowest tests:", *slowest(list(REPORTS.glob("*.xml"))), sep="\n")
