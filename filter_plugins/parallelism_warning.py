"""Ansible filter: a line when the scheduler's parallelism is too small for its workers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: parallelism_warning
short_description: A line when the scheduler's parallelism is too small for its workers
description:
  - Parallelism limits the whole cluster of one scheduler, not one host. Below the sum of the workers' slots some slots
    never work; below 2 a parent DAG that waits for its child blocks it.
options:
  _input:
    description: Parallelism of the scheduler.
    type: int
    required: true
  workers:
    description: Inventory names of the workers.
    type: list
    elements: str
    required: true
  hostvars:
    description: Ansible's hostvars. A worker whose size is unknown silences the comparison with the sum.
    type: dict
    required: true
"""

EXAMPLES = r"""
line: "{{ 4 | parallelism_warning(['dn01p', 'dn02p'], hostvars) }}"
# parallelism is 4, but the 2 workers offer 14 slots: raise airflow_config_parallelism.
"""

RETURN = r"""
_value:
  description: The line, empty when parallelism is large enough.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_ops import sizes


def parallelism_warning(parallelism: int, workers: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the warning, or nothing."""
    return sizes.parallelism_warning(int(parallelism), sizes.worker_slots(workers, hostvars)) or ""


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"parallelism_warning": parallelism_warning}
