"""The command line: check and deliver for cron; status, pause and resume for people and playbooks."""

from __future__ import annotations

import os
import sys

from airflow_watchdog import config as configuration


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code: 0 done, 1 over time, 2 it cannot work."""
    try:
        config = configuration.load(os.environ.get("WATCHDOG_CONFIG", configuration.DEFAULT))
        if arguments == ["check"]:
            from airflow_watchdog.check import check

            return check(config)
        if arguments == ["deliver"]:
            from airflow_watchdog.tell import deliver

            deliver(config)
            return 0
        from airflow_watchdog.people import main as people

        return people(config, arguments)
    except configuration.ConfigError as error:
        print(f"watchdog: {error}.", file=sys.stderr)
    except PermissionError as error:
        print(f"watchdog: {error.filename} belongs to another account: {error.strerror}.", file=sys.stderr)
    except FileNotFoundError as error:
        print(f"watchdog: {error.filename} does not exist; run site.yml --tags watchdog.", file=sys.stderr)
    except OSError as error:
        print(f"watchdog: {error.filename}: {error.strerror}.", file=sys.stderr)
    return 2
