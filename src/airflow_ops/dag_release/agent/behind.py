"""The hosts that missed a release, as the scheduler host remembers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.place import Place, read_json, write_json

NAME = "behind.json"
UNIT = "airflow-worker.service"
# What keeps the worker of such a host stopped.
QUARANTINE = Path(f"/etc/systemd/system/{UNIT}.d/dag-release-quarantine.conf")


def read(place: Place) -> dict[str, Any]:
    """Return what is recorded by host: the release it should have, since when, and why it has not."""
    return read_json(place.releases / NAME)


def record(place: Place, add: dict[str, Any], remove: list[str]) -> dict[str, Any]:
    """Record hosts as behind and strike out those that are level; return what is recorded then."""
    have = read(place)
    want = {name: value for name, value in {**have, **add}.items() if name not in remove}
    if want != have:
        place.make_releases()
        write_json(place, place.releases / NAME, want)
    return {"behind": want}
