"""What the role wrote for this host."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from airflow_watchdog.decide import Policy

DEFAULT = "/etc/airflow/watchdog.json"


class ConfigError(Exception):
    """The watchdog cannot work; the text is one sentence."""


class Config(NamedTuple):
    """Where everything is, and the limits."""

    unit: str
    beside: list[str]  # the other services of this host, of which only trouble is told
    process: str  # words in the command of its main process
    home: str
    environment_file: str
    health_url: str  # of a worker: the server of its logs
    ping_command: list[str]  # asks a worker whether it lives; empty for a scheduler
    restart_command: list[str]
    pause_file: str
    history_file: str
    evidence_folder: str
    textfile: str
    run_folder: str
    mail_to: list[str]
    webhook_file: str
    probe_spacing: float
    probe_timeout: float
    time_limit: float
    restart_timeout: float
    progress_interval: float
    heartbeat: float
    evidence_keep: int
    policy: Policy


def load(path: str = DEFAULT) -> Config:
    """Return the configuration of this host."""
    try:
        with open(path, encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
        return Config(**{**content, "policy": Policy(**content["policy"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} cannot be used ({error}); run site.yml --tags watchdog") from error
