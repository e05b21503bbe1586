"""DAG releases: a tree is staged on all hosts, verified there, and made live everywhere or nowhere."""

from functools import cache
from importlib import resources


@cache
def inside_program() -> str:
    """Return the source of the program that runs inside a host's Airflow."""
    return resources.files(__name__).joinpath("inside.py").read_text("utf-8")


@cache
def standing_program() -> str:
    """Return the source of the program that looks for processes on a host."""
    return resources.files(__name__).joinpath("standing.py").read_text("utf-8")
