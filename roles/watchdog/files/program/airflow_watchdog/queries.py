"""Ask the metadata database; runs in Airflow's Python: queries.py AIRFLOW_CFG [progress]. Prints one JSON object.

The password stays out of the process list: it is read from airflow.cfg. Ages are by this host's clock, which wrote the
rows; so they are right even where it differs from the database's.
"""

from __future__ import annotations

import configparser
import datetime
import json
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

# The newest: a scheduler that lives is among them, also beside one that dies at every start.
JOBS = (
    "SELECT id, hostname, unixname, start_date, latest_heartbeat, state = 'running' FROM job "
    "WHERE job_type = 'SchedulerJob' AND latest_heartbeat > UTC_TIMESTAMP() - INTERVAL 2 DAY "
    "ORDER BY latest_heartbeat DESC LIMIT 200"
)
TASKS = (
    "SELECT state, COUNT(*), MIN(updated_at), MIN(queued_dttm) FROM task_instance "
    "WHERE state IN ('scheduled', 'queued', 'running') GROUP BY state"
)
# A limit of a single task (max_active_tis_per_dag) stands in no column: such a task counts as one with room.
READY = """
SELECT MIN(ti.updated_at) FROM task_instance ti
JOIN dag_run dr ON dr.dag_id = ti.dag_id AND dr.run_id = ti.run_id
  AND dr.state = 'running' AND dr.run_type <> 'backfill'
JOIN dag d ON d.dag_id = ti.dag_id AND d.is_paused = 0 AND d.is_active = 1
JOIN slot_pool p ON p.pool = ti.pool
LEFT JOIN (SELECT pool, SUM(pool_slots) AS slots FROM task_instance WHERE state IN ('running', 'queued') GROUP BY pool)
  taken ON taken.pool = ti.pool
LEFT JOIN (SELECT pool, SUM(pool_slots) AS slots FROM task_instance WHERE state = 'deferred' GROUP BY pool)
  asleep ON asleep.pool = ti.pool
LEFT JOIN (SELECT dag_id, COUNT(*) AS tasks FROM task_instance WHERE state IN ('running', 'queued') GROUP BY dag_id)
  busy ON busy.dag_id = ti.dag_id
WHERE ti.state = 'scheduled' AND COALESCE(busy.tasks, 0) < d.max_active_tasks
AND (p.slots = -1 OR p.slots - COALESCE(taken.slots, 0)
     - CASE WHEN p.include_deferred = 1 THEN COALESCE(asleep.slots, 0) ELSE 0 END >= ti.pool_slots)
"""
PARSED = "SELECT MAX(last_parsed_time) FROM dag WHERE is_active = 1"


def login(url: str) -> dict[str, Any]:
    """Return the driver's arguments for an URL of airflow.cfg."""
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in ("mysql", "mariadb") or not parts.hostname:
        raise ValueError("the URL names no MariaDB")
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.lstrip("/"),
        "connect_timeout": 4,
        "read_timeout": 4,
    }


def age(moment: datetime.datetime | None, now: datetime.datetime) -> float | None:
    """Return how long ago a moment of the database was, in seconds."""
    return None if moment is None else round((now - moment).total_seconds(), 1)


def epoch(moment: datetime.datetime | None) -> float:
    """Return a moment of the database in seconds since the epoch."""
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp() if moment else 0.0


def jobs(cursor: Any) -> list[list[Any]]:
    """Return the schedulers that wrote a row, as schedulers.Row has them."""
    cursor.execute(JOBS)
    return [
        [job, host, account, epoch(since), epoch(beat), bool(running)]
        for job, host, account, since, beat, running in cursor.fetchall()
    ]


def progress(cursor: Any, now: datetime.datetime, parallelism: int) -> dict[str, Any]:
    """Return what shows progress; a parallelism of 0 is no limit."""
    cursor.execute(TASKS)
    tasks = {state: (count, updated, queued) for state, count, updated, queued in cursor.fetchall()}
    busy = sum(tasks[state][0] for state in ("queued", "running") if state in tasks)
    ready = None
    if "scheduled" in tasks and (busy < parallelism or not parallelism):
        cursor.execute(READY)
        ((ready,),) = cursor.fetchall()
    cursor.execute(PARSED)
    ((parsed,),) = cursor.fetchall()
    return {
        "scheduled": age(tasks["scheduled"][1], now) if "scheduled" in tasks else None,
        "ready": age(ready, now),
        "queued": age(tasks["queued"][2], now) if "queued" in tasks else None,
        "running": tasks["running"][0] if "running" in tasks else 0,
        "parsed": age(parsed, now),
    }


def main(path: str, *parts: str) -> None:
    """Ask and print: who schedules and, when that is wanted, what shows progress."""
    import MySQLdb

    cfg = configparser.RawConfigParser(strict=False)
    cfg.read(path, encoding="utf-8")
    arguments = login(cfg.get("database", "sql_alchemy_conn").replace("%%", "%"))
    try:
        connection = MySQLdb.connect(**arguments)
        cursor = connection.cursor()
        found: dict[str, Any] = {"database": "up", "jobs": jobs(cursor)}
        if "progress" in parts:
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            found["progress"] = progress(cursor, now, cfg.getint("core", "parallelism", fallback=32))
    except MySQLdb.OperationalError as error:
        found = {"database": "down", "error": error.args[0]}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
