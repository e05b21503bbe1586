"""Documentation that the modules share which let the installed Airflow do their work."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that module_utils/airflow_python.py reads."""

    DOCUMENTATION = r"""
options:
  python:
    description: The Python of the host's Airflow; in check mode it may be missing.
    type: path
    required: true
  user:
    description: Account that runs the Python; never root.
    type: str
    required: true
  environment_file:
    description: The environment of Airflow, KEY=VALUE lines; it may be missing.
    type: path
    required: true
"""
