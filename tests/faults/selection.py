"""Which fault tests a run takes: all of them, a shard, or what a proof of the last commits needs.

The unit is the module: its tests share what they prepare, and a lane takes it as a whole.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.settings import REPOSITORY

FOLDER = Path(__file__).parent
COMMITS = 20  # whose areas a proof takes
UNKNOWN = 300.0  # seconds that a module takes which was not measured yet
UNKNOWN_TEST = 60.0  # the same of a single test


@dataclass(frozen=True)
class Area:
    """What belongs together: paths (folders end with a slash), the modules that test them, and one quick test."""

    paths: tuple[str, ...]
    modules: tuple[str, ...]
    smoke: str


@dataclass(frozen=True)
class Shard:
    """The k-th of n parts of all modules, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read K/N.

        :raises ValueError: when it is something else.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"SHARD is '{text}'; it must be K/N with 1 <= K <= N, like 1/4.")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class Selection:
    """What runs: whole modules, and single tests of others; and what the time did not suffice for."""

    modules: frozenset[str]
    tests: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()

    def takes(self, test: str) -> bool:
        """Say whether a test (its id below tests/faults) runs."""
        return test.partition("::")[0] in self.modules or test in self.tests


def areas() -> dict[str, Area]:
    """Return the table of areas."""
    table = yaml.safe_load((FOLDER / "areas.yml").read_text("utf-8"))
    return {name: Area(tuple(row["paths"]), tuple(row["modules"]), row["smoke"]) for name, row in table.items()}


def seconds() -> dict[str, float]:
    """Return what each module, and each smoke test alone, took when it was measured."""
    measured: dict[str, float] = yaml.safe_load((FOLDER / "seconds.yml").read_text("utf-8"))
    return measured


def shards(modules: Iterable[str], took: Mapping[str, float], count: int) -> list[frozenset[str]]:
    """Cut the modules into parts that take about the same time: the longest first, each to the part with the least."""
    parts: list[list[str]] = [[] for _ in range(count)]
    times = [0.0] * count
    for module in sorted(modules, key=lambda name: (-took.get(name, UNKNOWN), name)):
        least = times.index(min(times))
        parts[least].append(module)
        times[least] += took.get(module, UNKNOWN)
    return [frozenset(part) for part in parts]


def touched(table: Mapping[str, Area], paths: Iterable[str]) -> list[str]:
    """Return the modules of the areas that paths belong to, the first path's first."""
    found: dict[str, None] = {}
    for path in paths:
        own = path.removeprefix("tests/faults/")
        for area in table.values():
            if path.startswith(area.paths):
                found |= dict.fromkeys(area.modules)
            elif own in area.modules:
                found[own] = None
    return list(found)


def proof(
    table: Mapping[str, Area], shard: frozenset[str], changed: Iterable[str], took: Mapping[str, float], limit: float
) -> Selection:
    """Return the selection of a proof: the smoke tests, the shard, and what was touched as far as the time goes.

    :param changed: the modules of the areas that were touched, the most recent first.
    :param limit: seconds that the modules may take one after the other.
    """
    smoke, chosen, left_out = frozenset(area.smoke for area in table.values()), frozenset(shard), []

    def together(modules: frozenset[str]) -> float:
        alone = (test for test in smoke if test.partition("::")[0] not in modules)
        whole = sum(took.get(module, UNKNOWN) for module in modules)
        return whole + sum(took.get(test, UNKNOWN_TEST) for test in alone)

    for module in changed:
        wider = chosen | {module}
        if wider != chosen and together(wider) > limit:
            left_out.append(module)
        else:
            chosen = wider
    return Selection(chosen, smoke, tuple(left_out))


def git(*words: str) -> list[str]:
    """Return the lines of a git command in the repository."""
    done = subprocess.run(["git", "-C", REPOSITORY, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def last_touched() -> list[str]:
    """Return the paths that the last commits touched, the most recent first."""
    paths = git("-c", "core.quotePath=false", "log", f"-{COMMITS}", "--format=", "--name-only")
    return list(dict.fromkeys(path for path in paths if path))
