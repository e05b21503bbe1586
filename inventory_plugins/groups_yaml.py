"""Read hosts.yml and topology.yml as Ansible does, and tell what cannot be read in one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ansible.errors import AnsibleError, AnsibleParserError, ExitCode
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory.yaml import InventoryModule as Yaml
from ansible.utils.display import Display

from airflow_ops.origin import relative, unreadable

DOCUMENTATION = r"""
name: groups_yaml
short_description: Inventories in YAML, with one sentence for what cannot be read
description:
  - Reads what P(ansible.builtin.yaml#inventory) reads. A file that is no YAML, or holds no groups, ends the run at
    once, with the file, the line and what helps. Ansible would try one reader after the other and print what each says.
  - A file that names a C(plugin) is left to that one; a file without any content holds no hosts.
author: Airflow operations
options: {}
"""

EXAMPLES = r"""
dev:
  hosts:
    mn01d: {ansible_host: 192.0.2.111}
"""

OF_ANSIBLE = re.compile(r"\"?<class '[\w.]*?_?(?:AnsibleTagged)?(\w+)'>\"?")


class InventoryModule(Yaml):
    """Ansible's own reader, with other words."""

    NAME = "groups_yaml"

    def verify_file(self, path: str) -> bool:
        """Say whether the file is one of ours."""
        return Path(path).is_file() and Path(path).suffix in (".yml", ".yaml", ".json")

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Read groups and hosts."""
        try:
            groups = loader.load_from_file(path, cache="none", trusted_as_template=True)
        except AnsibleError as error:
            _refuse(unreadable(error))
        if groups is not None and not isinstance(groups, Mapping):
            _refuse(f"{relative(path)} holds no groups: write each as a line `name:` with its `hosts:` below.")
        if groups and "plugin" in groups:
            raise AnsibleParserError(f"{path} is for another reader")
        try:
            if groups:
                super().parse(inventory, loader, path, cache)
        except AnsibleError as error:
            reason = OF_ANSIBLE.sub(lambda found: f"a {found[1].lower()}", str(error)).rstrip(".")
            _refuse(f"{relative(path)} cannot be read ({reason}): correct it.")


def _refuse(sentence: str) -> NoReturn:
    Display().error(f"{sentence} No host was touched.")
    raise SystemExit(ExitCode.PARSER_ERROR)
