"""Ansible filter: a digest for each service over the options that it reads."""

from __future__ import annotations

DOCUMENTATION = r"""
name: airflow_cfg_digests
short_description: A digest for each service over the options that it reads
description:
  - The digest of a service changes exactly when an option that the service reads changes, so a file that holds it is
    newer than the service exactly when the service has to be restarted.
options:
  _input:
    description: The settings, as for the filter airflow_cfg.
    type: dict
    required: true
  key:
    description: The Fernet key. With it the digest tells nothing about a password.
    type: str
    required: true
  readers:
    description:
      - For sections and their options the services that read them; the option C(*) stands for the rest of its section.
      - What the table does not know is read by every service.
    type: dict
    required: true
  services:
    description: The services.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
digests: >-
  {{ settings | airflow_cfg_digests(key=fernet_key, readers={'webserver': {'*': ['webserver']}},
                                    services=['webserver', 'worker']) }}
# {webserver: 5f0c..., worker: 91ab...}
"""

RETURN = r"""
_value:
  description: For each service 64 hexadecimal digits, an HMAC-SHA256.
  type: dict
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from airflow_ops.airflow_cfg import Settings, digests


def airflow_cfg_digests(
    settings: Settings, key: str, readers: Mapping[str, Mapping[str, Sequence[str]]], services: Iterable[str]
) -> dict[str, str]:
    """Return a digest for each service."""
    try:
        return digests(settings, key=key, readers=readers, services=services)
    except ValueError as error:
        raise AnsibleFilterError(f"airflow_cfg_digests: {error}") from error


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"airflow_cfg_digests": airflow_cfg_digests}
