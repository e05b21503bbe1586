"""Ansible filter: the correction of a database URL with a charset in its path."""

from __future__ import annotations

DOCUMENTATION = r"""
name: charset_mistake
short_description: The correction of a database URL with a charset in its path
description:
  - C(/airflow/charset=utf8) names a database C(airflow/charset=utf8), which nobody means.
options:
  _input:
    description: A database URL.
    type: str
    required: true
"""

EXAMPLES = r"""
correction: "{{ 'mysql+mysqldb://airflow:p@mn01p:3306/airflow/charset=utf8' | charset_mistake }}"
# mysql+mysqldb://airflow:(secret)@mn01p:3306/airflow?charset=utf8mb4
"""

RETURN = r"""
_value:
  description: The corrected URL, its password masked so that it may be shown; empty when nothing is to correct.
  type: str
"""

from collections.abc import Callable
from typing import Any

from airflow_ops import database_url as urls


def charset_mistake(url: str) -> str:
    """Return the masked correction, or nothing."""
    return urls.masked_url(urls.charset_mistake(url) or "")


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"charset_mistake": charset_mistake}
