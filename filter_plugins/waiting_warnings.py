"""Filter waiting_warnings: what the module airflow_waiting saw, as lines for people."""

from __future__ import annotations

DOCUMENTATION = r"""
name: waiting_warnings
short_description: Say why tasks wait
description:
  - Turns the result of the module airflow_waiting into lines, one for each reason and for each queue that DAGs name and
    no worker listens to.
options:
  _input:
    description: The result of airflow_waiting; one of a host that did not answer gives no line.
    type: dict
    required: true
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Show why tasks wait
  ansible.builtin.debug:
    msg: "{{ result | waiting_warnings }}"
# [Warning: no worker listens to queue spark_heavy (airflow_worker_queues), which these name: pr_queue.say]
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

SHOWN = 10  # tasks in one line


def waiting_warnings(result: Mapping[str, Any]) -> list[str]:
    """Return the lines."""
    lines = [f"Warning: {reason}" for reason in result.get("reasons", [])]
    for queue, tasks in result.get("unheard", {}).items():
        more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
        lines.append(
            f"Warning: no worker listens to queue {queue} (airflow_worker_queues), which these name: "
            f"{', '.join(tasks[:SHOWN])}{more}"
        )
    return lines


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"waiting_warnings": waiting_warnings}
