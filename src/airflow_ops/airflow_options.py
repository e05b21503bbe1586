"""The options that a version of Airflow knows, as a table: the controller judges names by it before it touches a host.

The table of a version is written by the Python of an environment that holds it, here one of a host:

    PYTHONPATH=src AIRFLOW_CONFIG=/dev/null AIRFLOW_HOME=/tmp/none /usr/hmg/2.2.1.0-552/airflow/venv/bin/python \\
      -m airflow_ops.airflow_options > roles/airflow_config/files/airflow-2.11.2.yml
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from airflow_ops import cfg_check
from airflow_ops.cfg_check import Name, Rules

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HEAD = "# What Airflow knows of its options, written by python -m airflow_ops.airflow_options; do not edit.\n"


def load(path: Path) -> Rules:
    """Return a table as the rules that cfg_check works with."""
    table = yaml.load(path.read_bytes(), FAST)
    return {
        **table,
        "renamed": {name: tuple(new) for name, new in _flat(table["renamed"])},
        "enums": dict(_flat(table["enums"])),
        "sensitive": {name for name, option in _flat(table["options"]) if option.get("sensitive")},
    }


def dump(rules: Rules) -> str:
    """Return the rules of an installed Airflow as the text of a table."""
    options = {
        (section, name): _kept((section, name), option)
        for section, found in rules["options"].items()
        for name, option in found.items()
    }
    table = {
        "version": rules["version"],
        "options": _nested(options.items()),
        "renamed": _nested((old, list(new)) for old, new in rules["renamed"].items()),
        "enums": _nested((name, [str(value) for value in values]) for name, values in rules["enums"].items()),
    }
    return HEAD + yaml.safe_dump(table, default_flow_style=None, width=160)


def _kept(name: Name, option: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rules look at: the type, with the default that may be of another, and whether it is a secret."""
    kind = cfg_check.value_type(name, option)
    typed = {"type": kind, "default": option.get("default")} if kind else {}
    return {**typed, "sensitive": True} if option.get("sensitive") else typed


def _flat(table: Mapping[str, Mapping[str, Any]]) -> list[tuple[Name, Any]]:
    return [((section, option), value) for section, options in table.items() for option, value in options.items()]


def _nested(pairs: Iterable[tuple[Name, Any]]) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for (section, option), value in pairs:
        table.setdefault(section, {})[option] = value
    return table


if __name__ == "__main__":
    print(dump(cfg_check.installed_rules()), end="")
