"""Lanes: workers of pytest-xdist, each with a lab of its own, so that fault tests run side by side."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Mapping

from lab.settings import DEFAULT_NAME, DEFAULT_NETWORK, DEFAULT_STATE, REPOSITORY

ACTIVATE = f". {REPOSITORY}/lab/activate prod && env --null"


def lab_of(worker: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that name the lab of a worker: the first has the lab of the shell, others labs beside it.

    Each has the next network of the same size, and records its runs of airflow-ops in a place of its own.
    """
    number = int(worker.removeprefix("gw") or 0)
    if not number:
        return {}
    name = f"{environment.get('LAB_NAME') or DEFAULT_NAME}{number}"
    network = ipaddress.IPv4Network(environment.get("LAB_NETWORK") or DEFAULT_NETWORK)
    beside = (network.network_address + number * network.num_addresses, network.prefixlen)
    state = f"{DEFAULT_STATE}/{name}"
    return {
        "LAB_NAME": name,
        "LAB_NETWORK": str(ipaddress.IPv4Network(beside)),
        "LAB_STATE": state,
        "XDG_STATE_HOME": f"{state}/home",
    }


def enter() -> None:
    """Point this process, and what it starts, at the lab of its lane."""
    named = lab_of(os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ)
    if named:
        told = subprocess.run(
            ["bash", "-c", ACTIVATE], env={**os.environ, **named}, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        os.environ.update(
            {name: value for name, _, value in (line.partition("=") for line in told.split("\0") if line)}
        )
