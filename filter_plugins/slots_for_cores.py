"""Ansible filter: the cores of a host to its task slots."""

from __future__ import annotations

DOCUMENTATION = r"""
name: slots_for_cores
short_description: The cores of a host to its task slots
description:
  - All cores but one, as the operator manual says, and at least 1, because Airflow reads 0 as unlimited.
options:
  _input:
    description: How many cores the host has.
    type: int
    required: true
"""

EXAMPLES = r"""
slots: "{{ 8 | slots_for_cores }}"
# 7
"""

RETURN = r"""
_value:
  description: Task instances that may run at once.
  type: int
"""

from collections.abc import Callable
from typing import Any

from airflow_ops.sizes import slots_for_cores


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"slots_for_cores": slots_for_cores}
