"""What the reader makes of inventories as Ansible loads them; no connection, no host."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from airflow_ops.inventory_model import LATER, Inventory
from airflow_ops.inventory_reader import Reader

ROOT = Path(__file__).parents[2]


def read(folder: Path, variables: str = "", sources: tuple[str, ...] = ("dev",), beside: str = "") -> Inventory:
    """Return the inventory of a copy of ours, with more variables (YAML) for dev and another inventory beside it."""
    shutil.copytree(ROOT / "inventories", folder / "inventories", ignore=shutil.ignore_patterns("vault.yml"))
    (folder / "inventories/dev/group_vars/dev/zz.yml").write_text(variables)
    (folder / "inventories/test").mkdir()
    (folder / "inventories/test/hosts.yml").write_text(beside)
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(folder / "inventories" / name) for name in sources])
    hostvars = HostVars(manager, VariableManager(loader=loader, inventory=manager), loader)
    task_vars = {"hostvars": hostvars, "groups": manager.get_groups_dict()}
    return Reader(loader, ROOT / "roles", task_vars).inventory()


def test_defaults_of_the_roles_hold_where_the_inventory_is_silent(tmp_path: Path) -> None:
    host = read(tmp_path, "airflow_stack_version: '9'").hosts["mn01d"]
    assert host.variables["airflow_home"] == "/usr/hmg/9/airflow"
    assert {"airflow_stack_version", "airflow_environment"} <= host.given
    assert "airflow_home" not in host.given
    assert host.broken == {}


def test_groups_inputs_roles_and_versions_are_read(tmp_path: Path) -> None:
    inventory = read(tmp_path)
    assert inventory.groups["dev"] == ["mn01d", "dn01d"]
    assert inventory.inputs["airflow_take_over"].kind == "bool"
    assert {"airflow", "preflight", "airflow_ui"} <= inventory.roles
    assert inventory.versions == ("2.11.2",)


def test_the_hosts_of_the_other_inventories_are_known(tmp_path: Path) -> None:
    assert read(tmp_path).elsewhere["prod"]["dn01p"] == "192.0.2.21"


def test_an_environment_that_is_loaded_is_not_elsewhere(tmp_path: Path) -> None:
    inventory = read(tmp_path, sources=("dev", "prod"))
    assert inventory.elsewhere == {}
    assert [environment.name for environment in inventory.environments()] == ["dev", "prod"]


@pytest.mark.parametrize("text", ["test: {hosts: [dn01p]}", "test:", "- x", "test: {hosts: {dn01p: }}", ""])
def test_a_strange_inventory_beside_ours_does_no_harm(tmp_path: Path, text: str) -> None:
    inventory = read(tmp_path, beside=text)
    assert inventory.elsewhere["prod"]
    assert inventory.elsewhere.get("test", {}) in ({}, {"dn01p": ""})


BROKEN = {
    "undefined": ("broker_host: '{{ nobody }}'", "broker_host", "'nobody' is undefined"),
    "syntax": ("broker_host: '{{ nobody'", "broker_host", "unexpected end of template"),
    "inside": (
        "airflow_config_settings: {core: {x: ['{{ nobody }}']}}",
        "airflow_config_settings.core.x[0]",
        "undefined",
    ),
    "filter": ("broker_host: '{{ 1 | no_such_filter }}'", "broker_host", "no_such_filter"),
    "variable of the site": ("site_mail: '{{ nobody }}'", "site_mail", "'nobody' is undefined"),
    "connection": ("ansible_user: '{{ nobody }}'", "ansible_user", "'nobody' is undefined"),
}


@pytest.mark.parametrize(("variables", "name", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_template_that_fails_is_told(tmp_path: Path, variables: str, name: str, reason: str) -> None:
    broken = read(tmp_path, variables).hosts["dn01d"].broken
    assert list(broken) == [name]
    assert reason in broken[name].reason
    assert "\n" not in broken[name].reason


WAITING = {
    "fact": "broker_port: \"{{ ansible_facts['processor_vcpus'] }}\"",
    "injected fact": 'broker_port: "{{ ansible_processor_vcpus }}"',
    "data of a distribution": 'broker_port: "{{ __broker_port }}"',
    "through another": "broker_port: '{{ site_port }}'\nsite_port: \"{{ ansible_facts['x'] }}\"",
}


@pytest.mark.parametrize("variables", WAITING.values(), ids=WAITING)
def test_what_facts_will_tell_is_no_fault(tmp_path: Path, variables: str) -> None:
    host = read(tmp_path, variables).hosts["dn01d"]
    assert host.broken == {}
    assert "broker_port" in host.given
    assert "broker_port" not in host.variables


FACT = "{{ ansible_facts['x'] }}"
PARTS: dict[str, tuple[str, str, Any]] = {
    "option": (
        f'airflow_config_settings: {{core: {{parallelism: "{FACT}", dag_concurrency: 3}}}}',
        "airflow_config_settings",
        {"core": {"parallelism": LATER, "dag_concurrency": 3}},
    ),
    "reckoned from a fact": (
        "airflow_config_parameters: {parallelism: \"{{ ansible_facts['x'] | int - 1 }}\", dag_concurrency: 16}",
        "airflow_config_parameters",
        {"parallelism": LATER, "dag_concurrency": 16},
    ),
    "a part of a text": (
        f'airflow_environment_extra: {{A: "a-{FACT}-b", B: "b"}}',
        "airflow_environment_extra",
        {"A": LATER, "B": "b"},
    ),
    "one that a fact decides": (
        "airflow_environment_extra: {A: \"{{ 'a' if ansible_facts['x'] else 'b' }}\", B: b}",
        "airflow_environment_extra",
        {"A": LATER, "B": "b"},
    ),
    "list in a list": (
        f'metadata_db_clients: [{{name: root, hosts: ["{FACT}", "{{{{ nobody }}}}", h]}}]',
        "metadata_db_clients",
        [{"name": "root", "hosts": [LATER, LATER, "h"]}],
    ),
    "through another variable": (
        f'airflow_config_settings: "{{{{ site }}}}"\nsite: {{core: {{x: "{FACT}", y: 1}}}}',
        "airflow_config_settings",
        {"core": {"x": LATER, "y": 1}},
    ),
    "name that nobody knows": (
        "airflow_config_settings: {core: \"{{ dict([[ansible_facts['x'], 1]]) }}\", api: {}}",
        "airflow_config_settings",
        {"core": LATER, "api": {}},
    ),
}


@pytest.mark.parametrize(("variables", "name", "value"), PARTS.values(), ids=PARTS)
def test_what_is_known_stays_beside_what_is_not(tmp_path: Path, variables: str, name: str, value: Any) -> None:
    host = read(tmp_path, variables).hosts["dn01d"]
    assert host.variables[name] == value
    assert name in list(host.variables)


def test_a_name_with_a_hyphen_is_given(tmp_path: Path) -> None:
    assert {"broker-host", "Broker_Port"} <= read(tmp_path, "broker-host: x\nBroker_Port: 1").hosts["dn01d"].given


def test_the_folders_that_were_loaded_are_known(tmp_path: Path) -> None:
    assert read(tmp_path, sources=("dev", "prod")).folders == ("dev", "prod")


def test_values_lose_the_types_of_ansible(tmp_path: Path) -> None:
    content = {"airflow_pools": [{"name": "etl 한글", "slots": 3, "x": [None, True, 1.5]}]}
    value = read(tmp_path, yaml.safe_dump(content)).hosts["dn01d"].variables["airflow_pools"]
    assert value == content["airflow_pools"]
    assert {type(part) for part in value[0].values()} == {str, int, list}
