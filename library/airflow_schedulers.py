#!/usr/bin/python
"""Find the schedulers that are not the units': by their processes, and by their heartbeats in the metadata database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_schedulers
short_description: Find the schedulers that are not those of the units
description:
  - Puts together what M(airflow_service_state) saw of the hosts' processes and what schedulers write into the metadata
    database. A heartbeat that belongs to no process that was seen is watched, until a newer one shows that its
    scheduler lives or the time shows that it does not.
  - A scheduler that has run for five minutes and has written nothing into this database works with another one, and is
    left out.
  - Changes nothing.
options:
  looks:
    description: >-
      By host what C(hostname) and C(schedulers) of M(airflow_service_state) are. Hosts that are not here are known by
      their heartbeats alone.
    type: dict
    required: true
  seconds:
    description: How long a heartbeat that belongs to no process is watched.
    type: float
    required: true
  unit_hosts:
    description: >-
      The hosts on which a unit may run the scheduler. A heartbeat of one of them that is not in O(looks) may be that of
      the unit's own, so it is not judged. Without them every heartbeat counts whose process was not seen.
    type: list
    elements: str
    default: []
  patience:
    description: How long a database that does not answer is asked again, in seconds.
    type: float
    default: 0
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full, description: Nothing is ever changed.}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Look for another scheduler
  airflow_schedulers:
    looks: {mn02p: {hostname: mn02p, schedulers: []}}
    unit_hosts: [mn02p]
    seconds: 40
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
  register: schedulers
"""

RETURN = r"""
others:
  description: The schedulers that nothing of ours started.
  type: list
  elements: dict
  returned: always
  contains:
    host: {description: The host on which it runs., type: str}
    text: {description: "Who it is, in words: process, account, host, since when, command.", type: str}
error:
  description: >-
    Why there may be more of them, without a full stop: the database could not be asked, or hosts of O(unit_hosts) were
    not looked at. Empty when all is known, or when there is no database yet.
  type: str
  returned: always
"""

import socket
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.airflow_inside import scheduler_jobs as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.airflow_watchdog.schedulers import (
    Process,
    Row,
    is_same,
    main_process,
    of_another_database,
    paired,
    row_text,
    seen,
    text_of,
)
from ansible.module_utils.basic import AnsibleModule

SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "looks": {"type": "dict", "required": True},
    "seconds": {"type": "float", "required": True},
    "unit_hosts": {"type": "list", "elements": "str", "default": []},
    "patience": {"type": "float", "default": 0},
}
PAUSE = 5.0  # seconds
Pair = tuple[str, Process, "Row | None"]


def pairs_of(looks: Mapping[str, Mapping[str, Any]], rows: list[Row], now: float) -> list[Pair]:
    """Return host, process and row of each scheduler whose process was seen, on each host the unit's own first."""
    pairs: list[Pair] = []
    for host, look in looks.items():
        found = sorted((Process(**each) for each in look["schedulers"]), key=lambda each: not each.own)
        begins = [(process.pid, process.since) for process in found]
        written = paired(look["hostname"], begins, rows, now - program.DEAD)
        pairs += [(host, process, written.get(process.pid)) for process in found]
    return pairs


def strangers(pairs: list[Pair], now: float) -> list[dict[str, str]]:
    """Return those that no unit runs, and that work with this database."""
    return [
        {"host": host, "text": text_of(process, f" on {host}")}
        for host, process, row in pairs
        if not process.own and not of_another_database(process.since, row, now)
    ]


def unseen(params: Mapping[str, Any]) -> list[str]:
    """Return the hosts that may run the unit's own scheduler and were not looked at."""
    return [host for host in params["unit_hosts"] if host not in params["looks"]]


def jobs_of(hosts: list[str], rows: list[list[Any]]) -> list[int]:
    """Return the jobs of these hosts."""
    return [row[0] for row in rows if any(is_same(row[1], host) for host in hosts)]


def look(params: dict[str, Any]) -> list[dict[str, str]]:
    """Return the others; Airflow starts a second time only when there is a heartbeat to watch."""
    here, now = socket.gethostname(), time.time()
    request: dict[str, Any] = {"host": here, "known": [], "seconds": 0}
    answer = run_inside(params, program, request)["rows"]
    pairs = pairs_of(params["looks"], [Row(*each) for each in answer], now)
    known = [
        row.job for _host, each, row in pairs if row and (each.own or not of_another_database(each.since, row, now))
    ]
    request["known"] = known + jobs_of(unseen(params), answer)
    alive: list[list[Any]] = []
    if program.watched(answer, request["known"], here, now):
        later = run_inside(params, program, {**request, "seconds": params["seconds"]})
        # systemd may have started the unit meanwhile, after its death.
        again = pairs_of({here: seen(main_process())}, [Row(*each) for each in later["rows"]], time.time())
        own = [row.job for _host, process, row in again if row and process.own]
        own += jobs_of(unseen(params), later["alive"])  # one that started there meanwhile
        alive = [row for row in later["alive"] if row[0] not in own]
    return [*strangers(pairs, now), *({"host": row[1], "text": row_text(*row[1:4])} for row in alive)]


def patient_look(params: dict[str, Any]) -> list[dict[str, str]]:
    """Return the others as soon as the database answers, as it does not yet where all hosts have just booted."""
    until = time.monotonic() + params["patience"]
    while True:
        try:
            return look(params)
        except NotInstalledError:
            raise
        except InsideError:
            if time.monotonic() >= until:
                raise
            time.sleep(PAUSE)


def main() -> None:
    """Look and report."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    others = strangers(pairs_of(module.params["looks"], [], 0), 0)
    hosts = unseen(module.params)
    error = f"this run did not look at {', '.join(hosts)}" if hosts else ""
    try:
        others = patient_look(module.params)
    except NotInstalledError:
        pass  # there is no Airflow, or no database, that a scheduler could work with
    except InsideError as problem:
        error = str(problem).rstrip(".")
    module.exit_json(changed=False, others=others, error=error)


if __name__ == "__main__":
    main()
