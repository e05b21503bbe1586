"""Ask the metadata database; runs in Airflow's Python: queries.py AIRFLOW_CFG. Prints one JSON object.

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

HEARTBEATS = (
    "SELECT hostname, MAX(latest_heartbeat) FROM job WHERE job_type = 'SchedulerJob' AND state = 'running' "
    "AND latest_heartbeat > UTC_TIMESTAMP() - INTERVAL 2 DAY GROUP BY hostname"
)
TASKS = (
    "SELECT state, COUNT(*), MIN(updated_at), MIN(queued_dttm) FROM task_instance "
    "WHERE state IN ('scheduled', 'queued', 'running') GROUP BY state"
)
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


def answers(cursor: Any, now: datetime.datetime) -> dict[str, Any]:
    """Return heartbeats by host and what shows progress."""
    cursor.execute(HEARTBEATS)
    heartbeats = {host: age(moment, now) for host, moment in cursor.fetchall() if moment}
    cursor.execute(TASKS)
    tasks = {state: (count, updated, queued) for state, count, updated, queued in cursor.fetchall()}
    cursor.execute(PARSED)
    ((parsed,),) = cursor.fetchall()
    progress = {
        "scheduled": age(tasks["scheduled"][1], now) if "scheduled" in tasks else None,
        "queued": age(tasks["queued"][2], now) if "queued" in tasks else None,
        "running": tasks["running"][0] if "running" in tasks else 0,
        "parsed": age(parsed, now),
    }
    return {"database": "up", "heartbeats": heartbeats, "progress": progress}


def main(path: str) -> None:
    """Ask and print."""
    import MySQLdb

    cfg = configparser.RawConfigParser(strict=False)
    cfg.read(path, encoding="utf-8")
    arguments = login(cfg.get("database", "sql_alchemy_conn").replace("%%", "%"))
    try:
        connection = MySQLdb.connect(**arguments)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        found = answers(connection.cursor(), now)
    except MySQLdb.OperationalError as error:
        found = {"database": "down", "error": error.args[0]}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
