"""Ansible filter: the parts of a MariaDB connection to its URL."""

from __future__ import annotations

DOCUMENTATION = r"""
name: database_url
short_description: The parts of a MariaDB connection to its URL
description:
  - Every part is quoted, so a password may hold any character. The connection speaks utf8mb4.
options:
  _input:
    description: The host, or its address.
    type: str
    required: true
  port:
    description: TCP port.
    type: int
    required: true
  name:
    description: The database.
    type: str
    required: true
extends_documentation_fragment: [login]
"""

EXAMPLES = r"""
url: "{{ 'mn01p' | database_url(port=3306, name='airflow', user='airflow', password='p%@/') }}"
# mysql+mysqldb://airflow:p%25%40%2F@mn01p:3306/airflow?charset=utf8mb4
"""

RETURN = r"""
_value:
  description: A URL for SQLAlchemy; with db+ in front of it for Celery's result backend.
  type: str
"""

from collections.abc import Callable
from typing import Any

from airflow_ops import database_url as urls


def database_url(host: str, port: int, name: str, user: str, password: str) -> str:
    """Return the URL of a MariaDB database."""
    return urls.database_url(host=host, port=port, name=name, user=user, password=password)


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"database_url": database_url}
