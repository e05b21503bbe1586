"""Drift: in what the hosts of one cluster differ from each other and from what was delivered to them.

Pure: what each host was seen to be goes in, a report of plain data comes out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_ops.columns import columns

Seen = Mapping[str, Any]
Compared = Callable[[Mapping[str, str], Mapping[str, str], str], Iterator[str]]
SEVERITIES = ("ok", "warning", "error")
CLOCK_ERROR = 30  # seconds; from then on Airflow takes a scheduler or a worker that lives for dead
CHECKS = {
    "host": "Host",
    "versions": "Versions",
    "config": "Configuration",
    "keys": "Keys and URLs",
    "packages": "Packages",
    "units": "Units",
    "dags": "DAGs",
    "plugins": "Plugins",
    "clock": "Clock",
    "stray": "Stray files",
    "owners": "Owners",
    "services": "Services",
}


@dataclass(frozen=True)
class Cell:
    """What one check says of one host. The severity is one of SEVERITIES, or empty when nothing could be checked."""

    severity: str = "ok"
    summary: str = "ok"
    details: list[str] = field(default_factory=list)


UNKNOWN = Cell("", "-")


@dataclass(frozen=True)
class Judge:
    """What the checks compare a host with."""

    reference: str
    seen: Mapping[str, Seen]
    ignored: Collection[str]
    clock_limit: float
    others: Mapping[str, Sequence[str]]  # by host the schedulers that are not the unit's

    @property
    def model(self) -> Seen:
        return self.seen[self.reference]

    def cells(self, host: str) -> dict[str, Cell]:
        """Return what every check says of a host."""
        seen = self.seen.get(host)
        if not seen:
            return {"host": Cell("error", "unreachable", ["It did not answer."])}
        if "problem" in seen:
            return {"host": Cell("error", "no Airflow", [seen["problem"]])}
        return {
            "host": Cell(),
            "versions": found("error", differing(seen["versions"], self.model["versions"], self.reference)),
            "config": self._options(seen, "config", "warning", differing),
            "keys": self._options(seen, "keys", "error", unequal),
            "packages": found("warning", differing(seen["packages"], self.model["packages"], self.reference)),
            "units": self._units(host, seen),
            "dags": self._dags(seen["dags"], self.model["dags"]),
            "plugins": found("warning", self._plugins(seen["plugins"], self.model["plugins"])),
            "clock": self._clock(seen["clock"]),
            "stray": found("warning", [f"{path} would be taken without AIRFLOW_HOME" for path in seen["stray"]]),
            "owners": found("warning", seen["owners"]["lines"], seen["owners"]["number"]),
            "services": self._services(host, seen["restarts"]),
        }

    def _options(self, seen: Seen, part: str, severity: str, compared: Compared) -> Cell:
        have, want = (
            {name: value for name, value in each[part].items() if name not in self.ignored}
            for each in (seen, self.model)
        )
        return found(severity, compared(have, want, self.reference))

    def _units(self, host: str, seen: Seen) -> Cell:
        """Compare each unit with that of the first host that has it, and the environment with the reference's."""
        lines = list(unequal(seen["environment"], self.model["environment"], self.reference))
        number = len(lines)
        for name, text in seen["units"].items():
            other = next(each for each, one in self.seen.items() if name in one.get("units", {}))
            theirs = self.seen[other]["units"][name]
            if text != theirs:
                number += 1
                lines += difflib.unified_diff(
                    theirs.splitlines(), text.splitlines(), f"{other} {name}", f"{host} {name}", n=0, lineterm=""
                )
            elif "/" in name and sum(name in one.get("units", {}) for one in self.seen.values()) == 1:
                number += 1
                lines.append(f"{name} is only here")
        return found("warning", lines, number)

    def _dags(self, seen: Seen, model: Seen) -> Cell:
        have, want = (each["release"] or "a plain folder" for each in (seen, model))
        if have != want:
            return Cell("error", "other release", [f"{have}, on {self.reference} {want}", *seen["differing"]])
        if not seen["release"] and seen["digest"] != model["digest"]:
            return Cell("error", "other files", [f"The folder differs from that on {self.reference}."])
        return found("warning", seen["differing"], seen["number"])

    def _services(self, host: str, restarts: Sequence[str]) -> Cell:
        others = [f"another scheduler runs, {text}" for text in self.others.get(host, ())]
        if others:
            return Cell("error", "another scheduler", [*others, *restarts])
        return Cell("warning", "died", list(restarts)) if restarts else Cell()

    def _plugins(self, have: Mapping[str, str], want: Mapping[str, str]) -> Iterator[str]:
        """Yield a line for each file of the plugins that is not as on the reference, whoever brought it."""
        for name in sorted({*have, *want}):
            if name not in want:
                yield f"{name} is not on {self.reference}"
            elif name not in have:
                yield f"{name} is missing, {self.reference} has it"
            elif have[name] != want[name]:
                yield f"{name} differs from that on {self.reference}"

    def _clock(self, offset: float | None) -> Cell:
        if offset is None:
            return Cell("warning", "unknown", ["The metadata database did not answer."])
        if abs(offset) <= self.clock_limit:
            return Cell()
        severity = "error" if abs(offset) > CLOCK_ERROR else "warning"
        return Cell(severity, f"{offset:+.0f} s", [f"{offset:+.1f} s from the clock of the metadata database"])


def found(severity: str, lines: Sequence[str] | Iterator[str], number: int | None = None) -> Cell:
    """Return the cell of a check that found these lines, or nothing."""
    details = list(lines)
    count = len(details) if number is None else number
    return Cell(severity, f"{count} differ{'s' if count == 1 else ''}", details) if details else Cell()


def differing(have: Mapping[str, str], want: Mapping[str, str], reference: str) -> Iterator[str]:
    """Yield a line for each name with another value."""
    for name in sorted({*have, *want}):
        if have.get(name) != want.get(name):
            yield f"{name}: {have.get(name, 'not there')}, on {reference} {want.get(name, 'not there')}"


def unequal(have: Mapping[str, str], want: Mapping[str, str], reference: str) -> Iterator[str]:
    """Yield a line for each name with another value, which may not be shown."""
    for name in sorted({*have, *want}):
        if have.get(name) != want.get(name):
            yield f"{name} differs from that on {reference}"


def compare(
    seen: Mapping[str, Seen | None],
    reference: str,
    ignored: Collection[str],
    clock_limit: float,
    others: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Return the report: ``checks``, a row of ``cells`` for each of ``hosts``, the ``worst`` severity, ``text``.

    :param seen: what the module airflow_drift saw by host; None for one that did not answer.
    :param reference: the host that the others are compared with; when it saw nothing, the first that did.
    :param ignored: options, as section.option, that may differ.
    :param clock_limit: seconds by which a clock may be off.
    :param others: host and text of each scheduler that is not the unit's; one of a host that was not looked at is shown
        with the reference.
    """
    good = {host: each for host, each in seen.items() if each and "problem" not in each}
    chosen = reference if reference in good else next(iter(good), reference)
    known = {each["hostname"]: host for host, each in good.items()} | {host: host for host in good}
    by_host: dict[str, list[str]] = {}
    for other in others:
        by_host.setdefault(known.get(other["host"], chosen), []).append(other["text"])
    judge = Judge(chosen, {host: each for host, each in seen.items() if each}, ignored, clock_limit, by_host)
    cells = {host: judge.cells(host) for host in seen}
    rows = {host: {name: cells[host].get(name, UNKNOWN) for name in CHECKS} for host in seen}
    severities = {cell.severity for cells in rows.values() for cell in cells.values()}
    return {
        "reference": chosen,
        "worst": max(severities - {""}, key=SEVERITIES.index, default="ok"),
        "checks": CHECKS,
        "hosts": {host: {name: asdict(cell) for name, cell in cells.items()} for host, cells in rows.items()},
        "text": "\n".join([*matrix(rows), *differences(rows)]),
    }


def matrix(rows: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """Return hosts by checks as lines with aligned columns; an error is marked by !!, a warning by !."""
    checks = [name for name in CHECKS if name != "host"]
    header = ["HOST", *(CHECKS[name].upper() for name in checks)]
    full = [
        [host, shown(cells["host"]), *[""] * (len(checks) - 1)]
        if cells["host"].details
        else [host, *(shown(cells[name]) for name in checks)]
        for host, cells in rows.items()
    ]
    return columns([header, *full])


def shown(cell: Cell) -> str:
    """Return a cell as text."""
    return {"error": "!! ", "warning": "! "}.get(cell.severity, "") + cell.summary


def differences(rows: Mapping[str, Mapping[str, Cell]]) -> Iterator[str]:
    """Yield the details below the matrix."""
    for host, cells in rows.items():
        for name, cell in cells.items():
            if cell.details:
                yield f"{host}, {CHECKS[name].lower()}:"
                yield from (f"  {line}" for line in cell.details)
