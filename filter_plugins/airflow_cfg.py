"""Ansible filter: settings to the text of airflow.cfg."""

from __future__ import annotations

DOCUMENTATION = r"""
name: airflow_cfg
short_description: Settings to the text of airflow.cfg
description:
  - Sections and options come out sorted, so that equal data gives equal text.
  - C(%) is doubled, because Airflow reads the file with interpolation on.
  - True and False are written as Airflow writes them, mappings and lists as JSON. An option or a section whose value is
    null is left out.
options:
  _input:
    description: The settings, a dict of sections, each a dict of options.
    type: dict
    required: true
"""

EXAMPLES = r"""
text: "{{ {'core': {'load_examples': false, 'parallelism': none}, 'smtp': {'smtp_user': '50%'}} | airflow_cfg }}"
# [core]
# load_examples = False
#
# [smtp]
# smtp_user = 50%%
"""

RETURN = r"""
_value:
  description: The text. A value that airflow.cfg can't hold (several lines, white space at its ends) is an error.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from airflow_ops.airflow_cfg import Settings, render


def airflow_cfg(settings: Settings) -> str:
    """Return the text of airflow.cfg."""
    try:
        return render(settings)
    except ValueError as error:
        raise AnsibleFilterError(f"airflow_cfg: {error}") from error


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"airflow_cfg": airflow_cfg}
