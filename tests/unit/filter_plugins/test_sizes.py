"""Slots of a host, and the warning about a small parallelism."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.sizes import slots_for_cores, worker_slots
from filter_plugins.parallelism_warning import parallelism_warning


@pytest.mark.parametrize(("cores", "slots"), [(1, 1), (2, 1), (3, 2), (32, 31)])
def test_slots_for_cores(cores: int, slots: int) -> None:
    assert slots_for_cores(cores) == slots


def host(cores: int | None = None, chosen: int | None = None) -> dict[str, Any]:
    facts = {} if cores is None else {"processor_vcpus": cores}
    return {"ansible_facts": facts, "airflow_config_worker_concurrency": chosen}


HOSTVARS: dict[str, dict[str, Any]] = {"dn01p": host(8), "dn02p": host(8, 4), "dn03p": host(), "dn04p": {}}


def test_worker_slots() -> None:
    assert worker_slots(list(HOSTVARS), HOSTVARS) == [7, 4, None, None]


@pytest.mark.parametrize(
    ("parallelism", "workers", "line"),
    [
        pytest.param(11, ["dn01p", "dn02p"], "", id="just enough"),
        pytest.param(10, ["dn01p", "dn02p"], "but the 2 workers offer 11 slots", id="below the sum"),
        pytest.param(2, ["dn01p", "dn03p"], "", id="a worker is not known"),
        pytest.param(1, ["dn03p"], "but a parent DAG that waits for its child blocks it", id="one"),
        pytest.param(0, ["dn01p"], "", id="unlimited"),
    ],
)
def test_parallelism_warning(parallelism: int, workers: list[str], line: str) -> None:
    seen = parallelism_warning(parallelism, workers, HOSTVARS)
    assert line in seen
    assert bool(seen) == bool(line)
    assert not seen or seen.endswith("raise airflow_config_parallelism.")
