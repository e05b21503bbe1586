"""``make bench-overhead``: what airflow-ops adds to ansible-playbook on a delivery, measured in turns in one run."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import trees
from bench.measure import BenchError, measure
from bench.ways import Job, ours
from lab.plain_cluster import HOME, PlainCluster, environment

FILES, LIMIT = 600, 120.0
BAR = 1.10  # times ansible-playbook
NOTHING = "nothing changed"


def by_command(job: Job, parse: bool) -> list[str]:
    """Return the same delivery by airflow-ops; the environment is named after its inventory."""
    line = ["-e", job.cluster.inventory.stem, "deploy", "--source", str(job.tree), *([] if parse else ["--no-parse"])]
    return [sys.executable, "-m", "airflow_ops.cli", *line]


WAYS: dict[str, Callable[[Job, bool], list[str]]] = {"ansible-playbook": ours, "airflow-ops": by_command}


def seconds(job: Job, way: str, parse: bool) -> float:
    """Deliver once and return the time."""
    inventories = {"AIRFLOW_OPS_INVENTORIES": str(job.cluster.inventory.parent), "ANSIBLE_INVENTORY": ""}
    done = measure(WAYS[way](job, parse), environment() | inventories, job.cluster.settings.bridge, LIMIT)
    if done.seconds is None:
        raise BenchError(f"{way} took more than {LIMIT:.0f} s")
    return done.seconds


def install_airflow(cluster: PlainCluster, hosts: tuple[str, ...]) -> None:
    """Install Airflow as far as parsing needs it: the playbook ends at the migration, for there is no database."""
    cluster.playbook("site.yml", "--tags", "airflow_install", "-l", ",".join(hosts), check=False)
    cluster.everywhere(f"sudo sh -c 'cd {HOME} && ln -sfn venvs/* venv && test -x venv/bin/python'", hosts)


def compare(job: Job, work: str, repeat: int, changes: Iterator[int], parse: bool = False) -> None:
    """Measure a work in both ways, in turns, and print it."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeat):
        for way, measured in times.items():
            if work != NOTHING:
                trees.touch(job.tree, next(changes))
            measured.append(seconds(job, way, parse))
    print(report(f"{len(job.cluster.hosts)} hosts, {FILES} files, {work}", times), flush=True)
    print("  " + "; ".join(f"{way} {', '.join(f'{one:.2f}' for one in all_)}" for way, all_ in times.items()))


def report(work: str, times: dict[str, list[float]]) -> str:
    """Return one line for a work."""
    plain, command = (median(times[way]) for way in WAYS)
    ratio = command / plain
    least = " and ".join(f"{min(times[way]):.2f}" for way in WAYS)
    return (
        f"{work}: medians ansible-playbook {plain:.2f} s, airflow-ops {command:.2f} s (least {least}), "
        f"{(ratio - 1) * 100:+.1f} % ({'met' if ratio <= BAR else 'MISSED'}: at most {(BAR - 1) * 100:+.0f} %)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.overhead", description="What airflow-ops costs on a delivery.")
    parser.add_argument("--hosts", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="bench-overhead-") as folder:
        cluster = PlainCluster.up(options.hosts, Path(folder, "plain.yml"))
        tree = Path(folder, "tree")
        trees.make(tree, FILES)
        job, changes = Job(cluster, tree), itertools.count(1)
        seconds(job, "ansible-playbook", parse=False)  # the first delivery
        compare(job, "one file changed, --no-parse", options.repeat, changes)
        compare(job, NOTHING, options.repeat, changes)
        install_airflow(cluster, cluster.hosts[:2])  # the scheduler and the first worker parse
        compare(job, "one file changed", options.repeat, changes, parse=True)


if __name__ == "__main__":
    main()
