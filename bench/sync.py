"""``make bench-sync``: what sync_meta.yml costs beside the manual's export and import, in one run on the same hosts.

Needs prod and dev of the lab with databases and Airflow; it fills and empties their connections.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import between_marks
from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from lab.two_sides import Sides

FILE = "/tmp/meta.json"
PAGES = ("docs/syncing-metadata.md", "docs/syncing-metadata.ko.md")


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def by_hand(sides: Sides) -> tuple[float, float]:
    """Return the seconds of the manual's two commands, without the copy between them."""
    keep = f"umask 077; airflow connections export --file-format json {FILE}"
    export = seconds(lambda: sides.prod.ssh("mn02p", f'sudo -iu airflow sh -c "{keep}"'))
    text = sides.prod.ssh("mn02p", f"sudo cat {FILE}; sudo rm {FILE}").stdout
    sides.dev.sql("delete from connection")
    sides.dev.ssh("mn01d", f'sudo -iu airflow sh -c "umask 077; cat >{FILE}"', stdin=text)
    try:
        took = seconds(lambda: sides.dev.ssh("mn01d", f"sudo -iu airflow airflow connections import {FILE}"))
    finally:
        sides.dev.ssh("mn01d", f"sudo rm {FILE}")
    return export, took


def measured(sides: Sides, count: int) -> list[tuple[str, float]]:
    """Return each work with its seconds."""
    sides.seed(count)
    rows = [("`sync_meta.yml`, all are new", seconds(lambda: sides.sync(verbose=False)))]
    rows.append(("`sync_meta.yml`, nothing to do", seconds(lambda: sides.sync(verbose=False))))
    sides.prod.sql(f"update connection set login = 'changed' where port = {1000 + count - 1}")
    rows.append(("`sync_meta.yml`, one differs", seconds(lambda: sides.sync(verbose=False))))
    rows.append(("`restore_meta.yml`", seconds(sides.restore)))
    export, took = by_hand(sides)
    rows.append(("`airflow connections export`", export))
    rows.append(("`airflow connections import` of that file", took))
    start = seconds(lambda: sides.dev.ssh("mn01d", "sudo -iu airflow airflow version"))
    rows.append(("for comparison: one start of the command line, `airflow version`", start))
    return rows


def main() -> None:
    """Measure, print, and write the figures into the docs if asked."""
    parser = argparse.ArgumentParser(prog="bench.sync", description="What a sync of connections costs.")
    parser.add_argument("--connections", type=int, default=1000, help="how many")
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/syncing-metadata.md")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rows = measured(Sides(Cluster.named("prod"), Cluster.named("dev")), options.connections)
    lines = [f"| {options.connections} connections | seconds |", "|---|---|"]
    lines += [f"| {name} | {took:.1f} |" for name, took in rows]
    text = "\n".join(lines)
    print(f"{os.cpu_count()} cores, load average {load:.1f} at the begin\n{text}")
    for page in PAGES if options.docs else ():
        path = Path(REPOSITORY, page)
        path.write_text(between_marks(path.read_text("utf-8"), f"{text}\n"), "utf-8")


if __name__ == "__main__":
    main()
