"""Which schedulers write heartbeats into the metadata database, apart from those whose rows are known."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

POLL = 2.5  # seconds; a scheduler writes every five
DEAD = 30.0  # seconds without a heartbeat after which Airflow takes a scheduler for dead
FORGOTTEN = 3600.0  # no clock is so wrong


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``rows``, what schedulers wrote lately, and ``alive``, those of them that write within the seconds.

    :param request: ``host``, whose clock this is; ``known``, jobs that need no watching; ``seconds``.
    """
    from sqlalchemy.exc import ProgrammingError, SQLAlchemyError  # noqa: PLC0415

    try:
        alive = watch(rows, request["known"], request["host"], request["seconds"])
        return {"rows": rows(), "alive": alive}
    except ProgrammingError:
        return {"missing": "The metadata database has no tables of Airflow yet."}
    except SQLAlchemyError as error:
        # Without the statement and the address, which holds the password.
        reason = getattr(error, "orig", None) or type(error).__name__
        return {"error": f"the metadata database does not answer ({reason})"}


def rows() -> list[list[Any]]:
    """Read the newest rows of schedulers: job, host, account, begin and heartbeat in seconds, whether it runs."""
    from airflow.jobs.job import Job  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        found = session.query(Job.id, Job.hostname, Job.unixname, Job.start_date, Job.latest_heartbeat, Job.state)
        newest = found.filter(Job.job_type == "SchedulerJob").order_by(Job.latest_heartbeat.desc()).limit(200).all()
    return [
        [*row[:3], *(each.timestamp() if each else 0.0 for each in row[3:5]), row[5] == "running"] for row in newest
    ]


def watched(found: list[list[Any]], known: list[int], here: str, now: float) -> dict[int, list[Any]]:
    """Return the rows, by job, of those that may live although no process of theirs is known.

    Heartbeats of this host are compared with its clock, which wrote them; those of others with nothing but each other.
    """
    left = {}
    for row in found:
        job, host, _account, _since, beat, runs = row
        limit = DEAD if host.partition(".")[0] == here.partition(".")[0] else FORGOTTEN
        if runs and job not in known and now - beat < limit:
            left[job] = row
    return left


def watch(look: Callable[[], list[list[Any]]], known: list[int], here: str, seconds: float) -> list[list[Any]]:
    """Look until somebody writes, nobody is left who might, or the time is over; return the rows of who wrote."""
    before = watched(look(), known, here, time.time())
    until = time.monotonic() + seconds
    left = before
    while left and time.monotonic() < until:
        time.sleep(POLL)
        left = watched(look(), known, here, time.time())
        wrote = [row for job, row in left.items() if job not in before or row[4] != before[job][4]]
        if wrote:
            return wrote
    return []
