"""How many task slots a host offers and what the scheduler may hand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def slots_for_cores(cores: int) -> int:
    """Return the slots of a host: all its cores but one, at least 1.

    The operator manual sizes parallelism this way; Airflow reads a 0 as "unlimited", so a host of one core gets 1.
    """
    return max(1, int(cores) - 1)


def worker_slots(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[int | None]:
    """Return the slots of each worker, None where neither the variable nor the host's cores are known.

    :param hosts: inventory names of the workers.
    :param hostvars: Ansible's hostvars; ``airflow_config_worker_concurrency`` wins over the host's cores.
    """
    return [_slots(hostvars[host]) for host in hosts]


def parallelism_warning(parallelism: int, slots: Sequence[int | None]) -> str | None:
    """Return one line when the scheduler's parallelism is too small for its workers, else None.

    :param parallelism: task instances that the scheduler lets run at once; 0 means unlimited.
    :param slots: slots of each worker, None for a worker whose cores are not known.
    """
    if parallelism == 0:
        return None
    if parallelism < 2:
        return _sentence(parallelism, "a parent DAG that waits for its child blocks it")
    known = [count for count in slots if count is not None]
    if len(known) == len(slots) and parallelism < sum(known):
        return _sentence(parallelism, f"the {len(slots)} workers offer {sum(known)} slots")
    return None


def _sentence(parallelism: int, reason: str) -> str:
    return f"parallelism is {parallelism}, but {reason}: raise airflow_config_parallelism."


def _slots(variables: Mapping[str, Any]) -> int | None:
    chosen = variables.get("airflow_config_worker_concurrency")
    if chosen is not None:
        return int(chosen)
    cores = variables.get("ansible_facts", {}).get("processor_vcpus")
    return None if cores is None else slots_for_cores(cores)
