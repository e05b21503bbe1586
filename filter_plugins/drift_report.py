"""Filter drift_report: in what hosts differ, from what the module airflow_drift saw of them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift_report
short_description: In what hosts differ
description:
  - Compares what the module airflow_drift saw of each host with one of them, and with what was delivered to it.
options:
  _input:
    description: The results of airflow_drift by host. A host without C(seen) in its result did not answer.
    type: dict
    required: true
  reference:
    description: The host that the others are compared with.
    type: str
    required: true
  ignored:
    description: Options of airflow.cfg that may differ, as section.option.
    type: list
    elements: str
    required: true
  clock_limit:
    description: By how many seconds a clock may be off.
    type: float
    required: true
  schedulers:
    description: The result of airflow_schedulers; empty when nobody could be asked.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show in what the hosts differ
  ansible.builtin.debug:
    msg: "{{ (results | drift_report('mn02p', ['core.parallelism'], 2, schedulers)).text }}"
# HOST   VERSIONS  CONFIGURATION  ...
# mn02p  ok        ok             ...
# dn01p  ok        ! 1 differs    ...
# dn01p, configuration:
#   core.default_timezone: Asia/Seoul, on mn02p utc
"""

RETURN = r"""
_value:
  description: >-
    C(hosts), a dict by host of a dict by check with C(severity) (ok, warning, error, or empty when it was not checked),
    C(summary) and C(details); C(checks), their labels; C(reference); C(worst), the worst severity; C(text), all of it
    for a terminal.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_ops.drift import compare


def drift_report(
    results: Mapping[str, Mapping[str, Any]],
    reference: str,
    ignored: Sequence[str],
    clock_limit: float,
    schedulers: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the report."""
    seen = {host: each.get("seen") for host, each in results.items()}
    report = compare(seen, reference, ignored, float(clock_limit), schedulers.get("others", ()))
    error = schedulers.get("error")
    unknown = f"\nNobody can tell whether another scheduler runs, since {error}." if error else ""
    return {**report, "text": f"{report['text']}{unknown}"}


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"drift_report": drift_report}
