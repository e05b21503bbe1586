"""Ansible filter: why a host must not run tasks as the accounts of airflow_run_as_users."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_as_problems
short_description: Why a host must not run tasks as the accounts of airflow_run_as_users
description:
  - Judges what sudo and C(id) say on a host. The accounts must exist and not be root, they must have no rights of their
    own with sudo, because whoever writes DAGs would have them too, and sudo must know regular expressions, which hold
    Airflow's calls to its temporary file.
  - An answer that is not understood is a problem.
options:
  _input:
    description: The accounts.
    type: list
    elements: str
    required: true
  host:
    description: Name of the host, for the sentences.
    type: str
    required: true
  sudo:
    description: Output of C(sudo --version).
    type: str
    required: true
  ids:
    description: Output of C(id), with a line for each account that exists.
    type: str
    required: true
  rights:
    description: Output of C(sudo -l -U) for each account, in the language C.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
problems: "{{ ['spark'] | run_as_problems(host='dn01p', sudo='Sudo version 1.9.13p3', ids='uid=1002(spark)',
                                          rights=['User spark is not allowed to run sudo on dn01p.']) }}" # []
"""

RETURN = r"""
_value:
  description: One sentence for each problem; empty when there is none.
  type: list
  elements: str
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

OLDEST_SUDO = (1, 9, 10)  # the first with regular expressions


def sudo_problem(host: str, text: str) -> str:
    """Say what is wrong with the version of sudo; empty when nothing is."""
    line = text.partition("\n")[0]
    found = re.search(r"\d+(\.\d+)+", line)
    if found and tuple(map(int, found[0].split("."))) >= OLDEST_SUDO:
        return ""
    return (
        f"{line or 'The sudo'} on {host} cannot hold chown to Airflow's temporary file (that takes 1.9.10): update "
        "sudo, or empty airflow_run_as_users."
    )


def account_problem(host: str, name: str, users: dict[str, int], rights: str) -> str:
    """Say why tasks must not run as an account; empty when they may."""
    if not users.get(name):
        return (
            f"airflow_run_as_users names {name}, which does not exist on {host} or is root by another name: create the "
            "account or take it off the list."
        )
    if f"User {name} is not allowed to run sudo" in rights:
        return ""
    granted = re.split(r"may run the following commands on .*:\s*", rights)[-1].split("\n")[0].strip()
    return (
        f"Account {name} may use sudo on {host} itself ({granted or 'sudo does not tell what'}), and so could whoever "
        f"writes DAGs: take that right away, or take {name} off airflow_run_as_users."
    )


def run_as_problems(accounts: Sequence[str], *, host: str, sudo: str, ids: str, rights: Sequence[str]) -> list[str]:
    """Return what speaks against running tasks as the accounts."""
    users = {name: int(number) for number, name in re.findall(r"^uid=(\d+)\(([^)]+)\)", ids, re.MULTILINE)}
    about = [account_problem(host, name, users, text) for name, text in zip(accounts, rights, strict=True)]
    return [problem for problem in (sudo_problem(host, sudo), *about) if problem]


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"run_as_problems": run_as_problems}
