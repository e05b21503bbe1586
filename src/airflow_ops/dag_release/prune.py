"""Old releases go, once nobody stands in them any more."""

from __future__ import annotations

import json

from airflow_ops.dag_release import judge, standing_program
from airflow_ops.dag_release.fleet import Fleet, Host, HostFailed, as_root, on_all
from airflow_ops.dag_release.plan import Keep


def prune(fleet: Fleet, hosts: list[Host], releases: str, keep: Keep) -> list[str]:
    """Remove old releases and return what stays; a host where that fails is no failure of the delivery."""
    asked = fleet.ask(hosts, "outdated", keep=keep.releases, minutes=keep.minutes)
    old = {name: result["outdated"] for name, result in asked.results.items() if result["outdated"]}
    looked = on_all([host for host in hosts if host.name in old], lambda host: stood_in(host, releases, old[host.name]))
    free = {name: {"releases": [one for one in old[name] if one not in used]} for name, used in looked.results.items()}
    pruned = fleet.ask_each(free, "prune")
    return judge.prune_notes(asked.bad | looked.bad | pruned.bad, looked.results, pruned.results)


def stood_in(host: Host, releases: str, names: list[str]) -> dict[str, list[int]]:
    """Return the processes of a host that stand in releases. Only root sees those of every account."""
    said = as_root(host, [host.python, "-I", "-S", "-c", standing_program(), releases, *names])["said"]
    try:
        return {name: [int(process) for process in found] for name, found in json.loads(said).items() if name in names}
    except (ValueError, TypeError, AttributeError) as error:
        raise HostFailed(f"it answered {said[:80]!r} and not which processes stand in which release") from error
