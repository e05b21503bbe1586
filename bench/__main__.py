"""``make bench-dags``: boot plain hosts, deliver in every way, print the figures; ``--help`` names the parts."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import report, trees
from bench.measure import Run, measure
from bench.results import Case, Results, load, save
from bench.ways import FIRST, FLOOR, NOTHING, ONE, OURS, WAYS, Job, Way
from lab.plain_cluster import PlainCluster, environment
from lab.settings import REPOSITORY

LIMIT = 120.0  # seconds after which a run is stopped
BIG = 10000
PLOTTED = 600  # files of the tree whose times are drawn against hosts
CURVE = (4, 8, 16, 32)
TABLES = (9, 32)


class Bench:
    """The hosts that are up, the trees, and what was measured so far."""

    def __init__(self, cluster: PlainCluster, folder: Path, results: Results, keep: Path) -> None:
        self.cluster, self.folder, self.results, self.keep = cluster, folder, results, keep
        self.touched = 0

    def measure(self, ways: list[Way], hosts: int, files: int, repeat: int) -> None:
        """Measure all works of the ways, in turns, so that a noise of the machine meets them all."""
        tree = self.folder / f"tree{files}"
        if not tree.exists():
            trees.make(tree, files)
        cluster = self.cluster.first(hosts, self.folder / f"{hosts}.yml")
        for case in [case for case in self.results.runs if (case.hosts, case.files) == (hosts, files)]:
            if case.way in {way.name for way in ways}:
                del self.results.runs[case]
        for turn in range(repeat):
            for way in ways:
                self.turn(way, Job(cluster, tree), files, memory=turn == 0)
                save(self.results, self.keep)

    def turn(self, way: Way, job: Job, files: int, memory: bool) -> None:
        """Measure each work of a way once, from hosts that have nothing; leave nothing."""
        job.cluster.everywhere(way.forget)
        complete = self.one(way, job, Case(way.name, FIRST, len(job.cluster.hosts), files))
        # A peer that was stopped half way begins the next works complete.
        if way.name != OURS and FIRST in way.works and not complete:
            job.cluster.everywhere(way.forget)
            self.run(next(way for way in WAYS if way.name == FLOOR), job)
        for work, look in [(ONE, False), (NOTHING, False)] + [(ONE, True)] * memory:
            changed = self.touch(job.tree) if work == ONE else ""
            self.one(way, replace(job, changed=changed), Case(way.name, work, len(job.cluster.hosts), files), look)
        job.cluster.everywhere(way.forget)

    def touch(self, tree: Path) -> str:
        """Change one file of the tree."""
        self.touched += 1
        return trees.touch(tree, self.touched)

    def one(self, way: Way, job: Job, case: Case, look: bool = False) -> bool:
        """Measure one work, unless the way does not know it or is known to take too long; say whether it was done."""
        if case.work not in way.works or self.results.late(case):
            return False
        done = self.run(way, job, look)
        self.results.runs.setdefault(case, []).append(done)
        seconds = "stopped" if done.seconds is None else f"{done.seconds:.2f} s"
        memory = f", {done.memory / 1e6:.0f} MB of memory" if done.memory else ""
        say(f"{case.hosts} hosts, {case.files} files: {way.name}, {case.work}: {seconds}{memory}")
        return done.seconds is not None

    def run(self, way: Way, job: Job, look: bool = False) -> Run:
        """Run the command of a way and measure it."""
        variables = environment() | job.variables()
        return measure(way.command(job), variables, job.cluster.settings.bridge, LIMIT, look)


def say(line: str) -> None:
    """Print a line at once."""
    print(time.strftime("%H:%M:%S"), line, flush=True)


def numbers(text: str) -> list[int]:
    """Return the numbers of a list as `9,32`."""
    return [int(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    """Read the command line; without options everything is measured."""
    parser = argparse.ArgumentParser(prog="bench", description="What a delivery of DAGs costs, beside its peers.")
    parser.add_argument(
        "--hosts", type=numbers, metavar="9,32", help="measure so many hosts, without the plot's other points"
    )
    parser.add_argument(
        "--tree", type=numbers, metavar="600,10000", default=[PLOTTED, BIG], help="trees of so many files"
    )
    names = [way.name for way in WAYS]
    parser.add_argument(
        "--way", action="append", choices=names, metavar="WAY", help=f"one of {', '.join(names)}; repeatable"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/benchmarks.md and its picture")
    parser.add_argument(
        "--results", type=Path, default=REPOSITORY / "dist/bench-dags.json", help="where the runs are kept"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing, only print what is kept")
    return parser.parse_args()


def sizes(hosts: list[int] | None, files: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of hosts and files to measure, the small ones first."""
    for count in files:
        for number in hosts or sorted({*TABLES, *(CURVE if count == PLOTTED else ())}):
            yield number, count


def main() -> None:
    """Measure and report."""
    options = arguments()
    results = load(options.results)
    if not options.report:
        ways = [way for way in WAYS if not options.way or way.name in options.way]
        wanted = list(sizes(options.hosts, options.tree))
        most = max(hosts for hosts, _ in wanted)
        say(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; boot {most} plain hosts")
        with TemporaryDirectory(prefix="bench-dags-") as folder:
            bench = Bench(PlainCluster.up(most, Path(folder, "inventory.yml")), Path(folder), results, options.results)
            for hosts, files in wanted:
                bench.measure(ways, hosts, files, options.repeat)
    figures = report.text(results, LIMIT)
    print(figures)
    picture = (REPOSITORY / "docs" if options.docs else options.results.parent) / "benchmarks.png"
    report.plot(results, PLOTTED, picture)
    if options.docs:
        page = REPOSITORY / "docs/benchmarks.md"
        page.write_text(
            report.between_marks(page.read_text("utf-8"), f"![time against hosts]({picture.name})\n\n{figures}"),
            "utf-8",
        )


if __name__ == "__main__":
    main()
