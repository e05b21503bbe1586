"""Ansible filter: the parts of a broker connection to its URL."""

from __future__ import annotations

DOCUMENTATION = r"""
name: broker_url
short_description: The parts of a broker connection to its URL
description:
  - Every part is quoted, so a password may hold any character.
options:
  _input:
    description: The host, or its address.
    type: str
    required: true
  kind:
    description: The kind of broker.
    type: str
    choices: [rabbitmq, redis]
    required: true
  port:
    description: TCP port.
    type: int
    required: true
  vhost:
    description: RabbitMQ's virtual host, or the number of the Redis database.
    type: str
    required: true
extends_documentation_fragment: [login]
"""

EXAMPLES = r"""
url: "{{ 'mn01p' | broker_url(kind='rabbitmq', port=5672, vhost='airflow', user='airflow', password='p%@/') }}"
# amqp://airflow:p%25%40%2F@mn01p:5672/airflow
"""

RETURN = r"""
_value:
  description: A URL for Celery.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from airflow_ops import database_url as urls


def broker_url(  # noqa: PLR0913 - a URL has that many parts
    host: str, *, kind: str, port: int, vhost: str, user: str, password: str
) -> str:
    """Return the URL of a broker."""
    try:
        return urls.broker_url(kind=kind, host=host, port=port, vhost=vhost, user=user, password=password)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"broker_url": broker_url}
