"""Let systemd start the unit's scheduler only where it is the only one: the ExecCondition of the unit.

systemd starts a unit after a death, at boot and when somebody tells it to, and asks nobody else. This runs before each
start, as the account of Airflow. While the database is silent a start may go on: Airflow ends at once by itself, and
the next start asks again.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from airflow_watchdog.look import ask_database
from airflow_watchdog.scheduler_jobs import DEAD, watch, watched
from airflow_watchdog.schedulers import (
    Process,
    Row,
    heads,
    is_same,
    of_another_database,
    paired,
    processes,
    row_text,
    text_of,
)

REFUSED = 1  # systemd leaves the unit inactive; 255 and a signal are failures, after which it tries again


class SilentError(Exception):
    """The database does not answer."""


def rows_of(home: str) -> list[list[Any]]:
    """Return what schedulers wrote lately."""
    answer = ask_database(home)
    if answer.get("database") != "up":
        raise SilentError
    return list(answer["jobs"])


def another(home: str, found: list[Process]) -> str:
    """Return in words a scheduler that works with this database, empty for none.

    Most starts ask once. A heartbeat that may go on is watched until it does, or for as long as Airflow itself takes
    to call a scheduler dead; clocks are not compared. A row of this host without a process is that of a killed one.

    :param found: the schedulers of this host.
    """
    here, now, answer = socket.gethostname(), time.time(), rows_of(home)
    rows = [Row(*each) for each in answer]
    pairs = paired(here, [(each.pid, each.since) for each in found], rows, now - DEAD)
    young = [each for each in found if each.pid not in pairs and not of_another_database(each.since, None, now)]
    if young:
        return text_of(young[0])
    writers = {pairs[each.pid].job: text_of(each) for each in found if each.pid in pairs}
    left = [row.job for row in rows if is_same(row.host, here) and row.job not in writers]
    if not watched(answer, left, "", now):
        return ""
    for job, host, account, since, *_ in watch(lambda: rows_of(home), left, "", DEAD):
        return writers.get(job, row_text(host, account, since))
    return ""


def main(home: str) -> int:
    """Return whether systemd may start the unit, and say in the journal why not."""
    found = heads(processes(0))
    try:
        other = another(home, found)
    except SilentError:
        other = text_of(found[0]) if found else ""  # whose database it works with shows when that answers
    if other:
        print(f"Not started: another scheduler runs, {other}; two queue the same tasks, see docs/watchdog.md.")
    return REFUSED if other else 0
