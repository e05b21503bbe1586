"""The controller's side: logic that filters, action plugins and the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_ops.cli.library import Result as Result
    from airflow_ops.cli.library import run as run
    from airflow_ops.cli.outcome import Outcome as Outcome
    from airflow_ops.cli.values import BadValue as BadValue

# Loaded when somebody asks: filters and action plugins import this package in every process of a playbook.
_LATER = {"run": "library", "Result": "library", "Outcome": "outcome", "BadValue": "values"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"airflow_ops.cli.{_LATER[name]}"), name)
