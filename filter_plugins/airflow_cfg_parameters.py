"""Ansible filter: the operator manual's parameter names to settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: airflow_cfg_parameters
short_description: The operator manual's parameter names to settings
description:
  - The manual names parameters without a section, some by a name that Airflow has given up. This gives them the section
    and the name that the installed version reads.
options:
  _input:
    description: Values by the manual's names.
    type: dict
    required: true
  names:
    description: For each name the section and option that it sets, joined by a dot.
    type: dict
    required: true
"""

EXAMPLES = r"""
settings: "{{ {'max_threads': 4} | airflow_cfg_parameters({'max_threads': 'scheduler.parsing_processes'}) }}"
# {scheduler: {parsing_processes: 4}}
"""

RETURN = r"""
_value:
  description: Settings. An unknown name is an error that gives the list.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from airflow_ops.airflow_cfg import parameters


def airflow_cfg_parameters(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return settings for the manual's names."""
    try:
        return parameters(values, names)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"airflow_cfg_parameters": airflow_cfg_parameters}
