"""Name the environment in the first and in the last line of every run, so that nobody takes production for dev."""

from __future__ import annotations

import atexit
from typing import Any, NoReturn

from ansible import constants as C
from ansible.errors import AnsibleError, ExitCode
from ansible.inventory.manager import InventoryManager
from ansible.playbook import Playbook
from ansible.plugins.callback import CallbackBase
from ansible.vars.manager import VariableManager

from airflow_ops.origin import unreadable

DOCUMENTATION = r"""
name: environment_banner
type: aggregate
short_description: Name the environment in the first and last line of a run
description:
  - The environment is what the hosts of the inventory say in C(airflow_environment), whatever the run is limited to.
  - The last line is printed when Ansible ends, so that it follows the recaps of all other callbacks and any error.
  - Variables that Ansible cannot read (no YAML, or no password of a vault) end the run at once, with the file, the line
    and what helps. Ansible itself would say neither file nor line, and would say it once more for this plugin.
author: Airflow operations
"""


class CallbackModule(CallbackBase):
    """Prints two lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "environment_banner"

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Print the first line and arrange for the last; no play has started, so nothing was printed before."""
        play = next(iter(playbook.get_plays()), None)
        if play is not None:
            try:
                line = banner(environments(play.get_variable_manager()))
            except AnsibleError as error:
                self._refuse(unreadable(error))
            self._say(line)
            atexit.register(self._say, line)

    def _refuse(self, sentence: str) -> NoReturn:
        self._display.error(f"{sentence} No host was touched.")
        raise SystemExit(ExitCode.PARSER_ERROR)

    def _say(self, line: str) -> None:
        self._display.display(line, color=C.COLOR_HIGHLIGHT)


def environments(variables: VariableManager) -> list[str]:
    """Return the names of the environments that the inventory holds."""
    inventory: InventoryManager = variables._inventory
    hosts: list[Any] = inventory.get_hosts(ignore_limits=True, ignore_restrictions=True)
    names = (variables.get_vars(host=host, include_hostvars=False).get("airflow_environment") for host in hosts)
    return sorted({str(name) for name in names if name})


def banner(names: list[str]) -> str:
    """Return the line."""
    if not names:
        return "Environment: none, no host of the inventory names one"
    return f"Environment{'s' if len(names) > 1 else ''}: {' and '.join(names)}"
