"""Filter host_batches: cut a list of hosts into the batches of a rolling change."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_batches
short_description: Cut a list of hosts into batches
description: Cuts a list of hosts into batches of a number or a percentage of hosts (rounded down, at least one host).
positional: size
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  size:
    description: Hosts in a batch, a number of at least 1 or a percentage from 1% to 100%.
    type: str
    required: true
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: "Restart three of nine workers at a time: [[dn01p, dn02p, dn03p], [dn04p, ...], ...]"
  ansible.builtin.debug:
    msg: "{{ airflow_worker_hosts | host_batches('34%') }}"
"""

RETURN = r"""
_value:
  description: The batches, in the order of the hosts.
  type: list
  elements: list
"""

import re
from collections.abc import Callable, Sequence

from ansible.errors import AnsibleFilterError


def batch_size(count: int, size: str | int) -> int:
    """Return how many of count hosts make a batch."""
    match = re.fullmatch(r"([0-9]+)(%?)", str(size))
    number, percent = (int(match[1]), match[2]) if match else (0, "")
    if number < 1 or (percent and number > 100):
        raise AnsibleFilterError(f"A batch is a number of hosts from 1 or a percentage from 1% to 100%, not {size!r}.")
    return max(1, count * number // 100) if percent else number


def host_batches(hosts: Sequence[str], size: str | int) -> list[list[str]]:
    """Cut hosts into batches of size hosts (a number, or a percentage as '50%')."""
    step = batch_size(len(hosts), size)
    return [list(hosts[start : start + step]) for start in range(0, len(hosts), step)]


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"host_batches": host_batches}
