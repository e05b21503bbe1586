"""Filter status_table: what the hosts say about their services, as a table and as a list of what is wrong."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Show the services of the cluster as a table
description:
  - Turns the results of the module airflow_service_state into one table, a line for each service and for each host that
    did not answer, and into a list of the services that should run and do not.
  - Below the table stand the schedulers that are not those of the units, and how often systemd has restarted a service
    within the last day.
options:
  _input:
    description: The results of airflow_service_state by host. A host without services in its result did not answer.
    type: dict
    required: true
  schedulers:
    description: The result of airflow_schedulers; empty when nobody could be asked.
    type: dict
    required: true
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ (results | status_table(schedulers)).text }}"
# HOST   SERVICE    STATE                            VERSION  RELEASE
# mn02p  scheduler  active since 2026-03-14 09:26Z   2.11.2   20260314T092600Z-0123456789ab
# dn01p  -          unreachable                      -        -
"""

RETURN = r"""
_value:
  description: >-
    C(text), the table and what stands below it; C(problems), one entry for each service that should run and does not,
    one for each scheduler too many, and one when the hosts run different releases of the DAGs.
  type: dict
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_ops.columns import columns

HEADER = ("HOST", "SERVICE", "STATE", "VERSION", "RELEASE")


def state_text(service: Mapping[str, Any]) -> str:
    """Return the state of a service in words."""
    if not service["installed"]:
        return "not installed"
    if service["standby"] and service["state"] == "inactive":
        return "standby"
    if service["fenced"]:
        return "fenced, the scheduler moved to another host (failover.yml)"
    if service["quarantined"]:
        return "in quarantine, it missed a DAG release (deploy_dags.yml)"
    since = f" since {service['since']}" if service["since"] else ""
    drained = ", drained, it takes no tasks (start.yml)" if service["drained"] else ""
    resumed = ", would lose its queues in an outage of the broker (restart.yml)" if service["resumed"] else ""
    return f"{service['state']}{since}{', stale' if service['stale'] else ''}{drained or resumed}"


def host_rows(host: str, result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of one host."""
    if "services" not in result:
        return [(host, "-", "unreachable", "-", "-")]
    version, release = result["version"] or "-", result["release"] or "-"
    return [(host, name, state_text(service), version, release) for name, service in sorted(result["services"].items())]


def host_problems(host: str, result: Mapping[str, Any]) -> list[str]:
    """Name what should run on one host and does not."""
    if "services" not in result:
        return [f"{host} is unreachable"]
    services = sorted(result["services"].items())
    wrong = [
        (name, service)
        for name, service in services
        if service["drained"] or service["standby"] == (service["state"] == "active")
    ]
    return [
        f"{name} on {host} is {state_text(service)}{', and meant to be stopped' if service['standby'] else ''}"
        for name, service in wrong
    ]


def release_problems(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say that hosts run different releases of the DAGs, as after one came back that had missed a delivery."""
    live = {host: result["release"] or "none" for host, result in results.items() if "services" in result}
    if len({*live.values()}) < 2:
        return []
    named = ", ".join(f"{host} {release}" for host, release in sorted(live.items()))
    return [f"the DAG releases differ ({named}), deploy_dags.yml levels them"]


def restart_lines(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which services died within the last day: systemd starts them again, and they look well."""
    return [
        f"{name} on {host} {service['restarts']}"
        for host, result in results.items()
        for name, service in sorted(result.get("services", {}).items())
        if service["restarts"]
    ]


def flat(lists: Iterable[list[Any]]) -> list[Any]:
    """Join lists."""
    return [item for items in lists for item in items]


def status_table(results: Mapping[str, Mapping[str, Any]], schedulers: Mapping[str, Any]) -> dict[str, object]:
    """Return the table of all hosts and what is wrong."""
    table = columns([HEADER, *flat(host_rows(host, result) for host, result in results.items())])
    others = [f"another scheduler runs, {other['text']}, end that one" for other in schedulers.get("others", [])]
    error = schedulers.get("error")
    unknown = [f"nobody can tell whether another scheduler runs, since {error}"] if error else []
    return {
        "text": "\n".join([*table, *restart_lines(results), *others, *unknown]),
        "problems": [
            *others,
            *flat(host_problems(host, result) for host, result in results.items()),
            *release_problems(results),
        ],
    }


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"status_table": status_table}
