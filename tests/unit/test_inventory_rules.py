"""What an inventory must satisfy: a good one has no finding, and each fault has its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_ops.deadly_options import DEADLY
from airflow_ops.inventory_model import LATER, Broken, Host, Input, Inventory
from airflow_ops.inventory_rules import findings

FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
GROUP_VARS = "inventories/dev/group_vars/dev"
GROUPS = {
    "dev": ["mn01d", "dn01d"],
    "metadata_db": ["mn01d"],
    "broker": ["mn01d"],
    "airflow_scheduler": ["mn01d"],
    "airflow_webserver": ["mn01d"],
    "airflow_triggerer": ["mn01d"],
    "airflow_worker": ["dn01d"],
    "airflow": ["mn01d", "dn01d"],
}
GOOD: dict[str, Any] = {
    "airflow_environment": "dev",
    "airflow_version": "2.11.2",
    "airflow_stack_root": "/usr/hmg",
    "airflow_stack_version": "2.2.1.0-552",
    "airflow_home": "/usr/hmg/2.2.1.0-552/airflow",
    "airflow_user": "airflow",
    "airflow_run_as_users": ["etl"],
    "metadata_db_host": "mn01d",
    "metadata_db_port": 3306,
    "metadata_db_name": "airflow",
    "metadata_db_user": "airflow",
    "metadata_db_password": "db-marker-secret",
    "broker_kind": "rabbitmq",
    "broker_host": "mn01d",
    "broker_port": 5672,
    "broker_vhost": "airflow",
    "broker_user": "airflow",
    "broker_password": "broker-marker-secret",
    "airflow_config_fernet_key": FERNET,
    "airflow_config_secret_key": "secret-key-marker",
    "airflow_ui_users": [{"username": "admin", "role": "Admin", "email": "admin@example.com"}],
    "airflow_ui_passwords": {"admin": "ui-marker-secret"},
    "connection_sync_source": "prod",
    "connection_sync_target": "dev",
}
ADDRESSES = {"mn01d": "192.0.2.111", "dn01d": "192.0.2.121"}
USER = {"username": Input(), "role": Input(choices=("Admin", "Op")), "email": Input()}
INPUTS = {
    "airflow_active_scheduler": Input(),
    **{name: Input() for name in GOOD},
    "metadata_db_port": Input("int"),
    "broker_port": Input("int"),
    "metadata_db_allowed_hosts": Input("list"),
    "broker_allowed_hosts": Input("list"),
    "metadata_db_clients": Input("list", elements="dict"),
    "metadata_db_client_passwords": Input("dict"),
    "airflow_environment_file": Input(),
    "airflow_services_worker_batch": Input(),
    "airflow_config_parameters": Input("dict"),
    "airflow_pools": Input("list", default=True),
    "airflow_create_account": Input("bool"),
    "airflow_ui_users": Input("list", elements="dict", options=USER),
    "airflow_ui_passwords": Input("dict"),
    "airflow_run_as_users": Input("list"),
    "airflow_config_settings": Input("dict"),
    "airflow_config_host_settings": Input("dict"),
    "airflow_environment_extra": Input("dict"),
    "airflow_install_source": Input("str", ("wheelhouse", "index")),
    "dag_release_keep": Input("int"),
}
ROLES = frozenset(
    {
        "airflow",
        "airflow_config",
        "airflow_install",
        "airflow_services",
        "airflow_ui",
        "metadata_db",
        "broker",
        "dag_release",
    }
)
MISSING = object()


def inventory(
    variables: Mapping[str, Any] | None = None,
    groups: Mapping[str, list[str]] | None = None,
    one: Mapping[str, Mapping[str, Any]] | None = None,
    **fields: Any,
) -> Inventory:
    """Return the good inventory of dev with changes; MISSING removes a variable."""
    all_groups = {**GROUPS, **(groups or {})}
    names = dict.fromkeys(name for members in all_groups.values() for name in members)
    hosts: dict[str, Host] = {}
    for name in names:
        changed = {**(variables or {}), **((one or {}).get(name, {}))}
        merged = {**GOOD, "ansible_host": ADDRESSES.get(name, f"192.0.2.{len(hosts) + 200}"), **changed}
        values = {key: value for key, value in merged.items() if value is not MISSING}
        hosts[name] = Host(name, values, frozenset(values) - {"ansible_host"})
    return Inventory(hosts, all_groups, INPUTS, ROLES, ("2.11.2",), **fields)


def with_broken(
    reason: str, kind: str = "template", name: str = "metadata_db_host", of: Inventory | None = None
) -> Inventory:
    """Return an inventory with a text that cannot be worked out on one host."""
    good = of or inventory()
    broken = {name: Broken(reason, "group_vars/dev/zz.yml:7", kind)}
    return replace(good, hosts={**good.hosts, "dn01d": replace(good.hosts["dn01d"], broken=broken)})


def waiting(name: str, **fields: Any) -> Inventory:
    """Return an inventory in which a variable that is given is not known."""
    good = inventory({name: "x"}, **fields)
    hosts = {host.name: replace(host, variables={**host.variables}) for host in good.hosts.values()}
    for host in hosts.values():
        del host.variables[name]  # type: ignore[attr-defined] # a dictionary here
    return replace(good, hosts=hosts)


def two_environments() -> Inventory:
    """Return dev and a small prod together."""
    prod = {"mn01p": {"airflow_environment": "prod", "metadata_db_host": "mn01p", "broker_host": "mn01p"}}
    return inventory(
        groups={**{name: [*members, "mn01p"] for name, members in GROUPS.items() if name != "dev"}, "prod": ["mn01p"]},
        one=prod,
    )


def test_a_good_inventory_has_no_finding() -> None:
    assert findings(inventory()) == []


def test_two_good_environments_have_no_finding_where_two_are_worked_on() -> None:
    assert findings(two_environments(), expected=2) == []


BAD: dict[str, tuple[Inventory, str]] = {
    "two environments": (
        two_environments(),
        "This play works on one environment and the inventory holds 2 (dev, prod): "
        "name one only with -i or ANSIBLE_INVENTORY.",
    ),
    "host without environment": (
        inventory(one={"dn01d": {"airflow_environment": MISSING}}, groups={"dev": ["mn01d"]}),
        "No environment holds dn01d: list each host below the group of its environment in "
        "inventories/dev/hosts.yml or take it out of inventories/dev/topology.yml.",
    ),
    "environment is no group of the host": (
        inventory(groups={"dev": ["mn01d"]}),
        "airflow_environment is 'dev' on dn01d, and group dev does not hold it: set it only in "
        f"{GROUP_VARS}/airflow.yml and list each host in inventories/dev/hosts.yml.",
    ),
    "hosts of dev that say prod": (
        inventory({"airflow_environment": "prod"}, folders=("dev",)),
        f"airflow_environment is 'prod' on mn01d, dn01d, below group dev: write dev in {GROUP_VARS}/airflow.yml.",
    ),
    "hosts of two environments": (
        inventory(groups={"prod": ["mn01d", "dn01d", "mn01p"]}, one={"mn01p": {"airflow_environment": "prod"}}),
        "Each of mn01d, dn01d belongs to 2 environments (dev, prod): remove it from one of inventories/dev/hosts.yml, "
        "inventories/prod/hosts.yml.",
    ),
    "environment is empty": (
        inventory({"airflow_environment": None}, folders=("dev",)),
        f"airflow_environment is empty on mn01d, dn01d: write the name of the environment in {GROUP_VARS}/airflow.yml.",
    ),
    "environment is empty on one host": (
        inventory(one={"dn01d": {"airflow_environment": ""}}),
        f"airflow_environment is empty on dn01d: write the name of the environment in {GROUP_VARS}/airflow.yml.",
    ),
    "environment is not set": (
        inventory({"airflow_environment": MISSING, "airflow_environment_file": "/x"}, folders=("dev",)),
        "airflow_environment is not set on mn01d, dn01d: write the name of the environment in "
        f"{GROUP_VARS}/airflow.yml.",
    ),
    "environment is misspelt": (
        inventory({"airflow_environment": MISSING, "airflow_enviroment": "dev"}, folders=("dev",)),
        "airflow_environment is not set (airflow_enviroment is) on mn01d, dn01d: write the name of the environment in "
        f"{GROUP_VARS}/airflow.yml.",
    ),
    "environment follows from facts": (
        waiting("airflow_environment", folders=("dev",)),
        "airflow_environment waits for facts, which come only after it is asked for, on mn01d, dn01d: write the name "
        f"of the environment in {GROUP_VARS}/airflow.yml.",
    ),
    "environment cannot be worked out": (
        with_broken("'nobody' is undefined", name="airflow_environment", of=waiting("airflow_environment")),
        "airflow_environment cannot be worked out ('nobody' is undefined) on dn01d: write the name of the environment "
        "in inventories/<env>/group_vars/<env>/airflow.yml.",
    ),
    "misspelt group": (
        inventory(groups={"airflow_triggerer": [], "airflow_trigerer": ["mn01d"]}),
        "Group airflow_trigerer holds mn01d and no play knows it (did you mean airflow_triggerer?): rename it, or make "
        "it a child of airflow_triggerer, in inventories/dev/topology.yml.",
    ),
    "group with a hyphen": (
        inventory(groups={"airflow-worker": ["mn01d"]}),
        "Group airflow-worker holds mn01d and no play knows it (did you mean airflow_worker?): rename it, or make it a "
        "child of airflow_worker, in inventories/dev/topology.yml.",
    ),
    "address that does not exist": (
        inventory(one={"dn01d": {"ansible_host": "192.0.2.321"}}),
        "ansible_host is '192.0.2.321' on dn01d and must be a host name or an address: correct it in "
        "inventories/dev/hosts.yml.",
    ),
    "address of IPv6": (
        inventory({"broker_allowed_hosts": ["10.0.0.0/8"]}, one={"dn01d": {"ansible_host": "2001:db8::1"}}),
        "ansible_host is '2001:db8::1' on dn01d and must be a host name or an IPv4 address, because "
        "metadata_db_allowed_hosts follow from it: correct it in inventories/dev/hosts.yml.",
    ),
    "address of the database that does not exist": (
        inventory({"metadata_db_host": "192.0.2.999"}),
        "metadata_db_host is '192.0.2.999' and must be a host name or an address: correct it in "
        f"{GROUP_VARS}/metadata_db.yml.",
    ),
    "port that is text": (
        inventory({"broker_port": "abc"}),
        f"broker_port must be a whole number, it is 'abc': correct it in {GROUP_VARS}/broker.yml.",
    ),
    "port that is text on one host": (
        inventory(one={"dn01d": {"broker_port": 3306.5}}),
        f"broker_port must be a whole number, it is 3306.5 on dn01d: correct it in {GROUP_VARS}/broker.yml.",
    ),
    "accounts as text": (
        inventory({"airflow_run_as_users": "etl,foo"}),
        f"airflow_run_as_users must be a list, it is text: correct it in {GROUP_VARS}/airflow.yml.",
    ),
    "key that is no text": (
        inventory({"airflow_config_fernet_key": {"a": 1}}),
        f"airflow_config_fernet_key must be text, it is a dictionary: correct it in {GROUP_VARS}/vault.yml.",
    ),
    "emptied list": (
        inventory({"airflow_pools": None}),
        f"airflow_pools is empty, give it [] or remove the line: correct it in {GROUP_VARS}/airflow.yml.",
    ),
    "name with a hyphen": (
        inventory({"broker-host": "mn01d"}),
        "Variable broker-host is known to no role (did you mean broker_host?): correct or remove it in "
        f"{GROUP_VARS}/broker.yml.",
    ),
    "name with a hyphen alone": (
        inventory({"broker-host": "mn01d", "broker_host": MISSING}),
        "Variable broker-host is known to no role (did you mean broker_host?): correct or remove it in "
        f"{GROUP_VARS}/broker.yml.",
    ),
    "account beside what is not known yet": (
        inventory(
            {
                "metadata_db_clients": [{"name": LATER, "hosts": [LATER]}, {"name": "root", "hosts": [LATER]}],
                "metadata_db_client_passwords": {"root": "client-marker"},
            },
        ),
        f"metadata_db_clients names 'root', an account of the server itself: name another in "
        f"{GROUP_VARS}/metadata_db.yml.",
    ),
    "login host beside what is not known yet": (
        inventory({"broker_allowed_hosts": [LATER, "10.1.2.3; accept"]}),
        "broker_allowed_hosts names '10.1.2.3; accept' and must name hosts, IPv4 addresses or IPv4 networks as "
        f"10.1.2.0/24: correct it in {GROUP_VARS}/broker.yml.",
    ),
    "password of a name without quotes": (
        inventory(
            {"airflow_ui_users": [{"username": 5}], "airflow_ui_passwords": {5: "ui-marker-secret"}},
        ),
        "airflow_ui_passwords holds the name 5, which is a whole number and fits nobody: quote it in "
        f"{GROUP_VARS}/vault.yml.",
    ),
    "host of prod in dev": (
        inventory(elsewhere={"prod": {"dn01d": "192.0.2.11"}}),
        "Host dn01d of dev is also a host of prod: remove it from inventories/dev/hosts.yml or from "
        "inventories/prod/hosts.yml.",
    ),
    "address of prod in dev": (
        inventory(elsewhere={"prod": {"dn01p": "192.0.2.121"}}),
        "Host dn01d of dev has the address 192.0.2.121, which inventories/prod/hosts.yml gives to dn01p of prod: "
        "correct it in inventories/dev/hosts.yml.",
    ),
    "database of prod in dev": (
        inventory({"metadata_db_host": "mn01p"}, elsewhere={"prod": {"mn01p": "192.0.2.11"}}),
        f"metadata_db_host is mn01p, a host of prod: correct it in {GROUP_VARS}/metadata_db.yml.",
    ),
    "duplicate address": (
        inventory({"ansible_host": "192.0.2.111"}),
        "Hosts mn01d and dn01d have the same address 192.0.2.111: correct it in inventories/dev/hosts.yml.",
    ),
    "no database": (
        inventory(groups={"metadata_db": []}),
        "Group metadata_db of dev holds no host and must hold exactly one: correct inventories/dev/topology.yml, "
        "or set metadata_db_external if somebody else runs it.",
    ),
    "two databases": (
        inventory(groups={"metadata_db": ["mn01d", "dn01d"]}),
        "Group metadata_db of dev holds 2 hosts (mn01d, dn01d) and must hold exactly one: correct "
        "inventories/dev/topology.yml, or set metadata_db_external if somebody else runs it.",
    ),
    "no broker": (
        inventory(groups={"broker": []}),
        "Group broker of dev holds no host and must hold exactly one: correct inventories/dev/topology.yml, "
        "or set broker_external if somebody else runs it.",
    ),
    "two schedulers": (
        inventory(groups={"airflow_scheduler": ["mn01d", "dn01d"]}),
        "Group airflow_scheduler of dev holds 2 hosts (mn01d, dn01d) and airflow_active_scheduler is '', but one must "
        "be active and the others standbys, because Airflow takes no row locks on MariaDB and two schedulers queue the "
        f"same task twice: name it in {GROUP_VARS}/airflow.yml.",
    ),
    "an active scheduler that is none": (
        inventory({"airflow_active_scheduler": "dn01d"}),
        "Group airflow_scheduler of dev holds 1 host (mn01d) and airflow_active_scheduler is 'dn01d', but one must "
        "be active and the others standbys, because Airflow takes no row locks on MariaDB and two schedulers queue the "
        f"same task twice: name it in {GROUP_VARS}/airflow.yml.",
    ),
    "no worker": (
        inventory(groups={"airflow_worker": []}),
        "Group airflow_worker of dev is empty and must hold at least one host: correct inventories/dev/topology.yml.",
    ),
    "no web server": (
        inventory(groups={"airflow_webserver": []}),
        "Group airflow_webserver of dev is empty and must hold at least one host: correct "
        "inventories/dev/topology.yml.",
    ),
    "worker outside group airflow": (
        inventory(groups={"airflow": ["mn01d"]}),
        "Group airflow lacks dn01d of group airflow_worker: make airflow_worker a child of airflow in "
        "inventories/dev/topology.yml.",
    ),
    "database elsewhere in the cluster": (
        inventory({"metadata_db_host": "dn01d"}),
        "metadata_db_host is dn01d, but group metadata_db holds mn01d: correct "
        f"{GROUP_VARS}/metadata_db.yml or inventories/dev/topology.yml.",
    ),
    "localhost as broker": (
        inventory({"broker_host": "localhost"}),
        "broker_host is localhost, which is another machine on every host: name the host of group broker in "
        f"{GROUP_VARS}/broker.yml.",
    ),
    "template that fails": (
        with_broken("'mn' is undefined"),
        "metadata_db_host cannot be worked out on dn01d ('mn' is undefined): correct it in group_vars/dev/zz.yml:7.",
    ),
    "missing secret": (
        inventory({"metadata_db_password": MISSING}),
        f"Secret metadata_db_password is not set: put it in {GROUP_VARS}/vault.yml.",
    ),
    "empty secret": (
        inventory({"airflow_config_secret_key": ""}),
        f"Secret airflow_config_secret_key is not set: put it in {GROUP_VARS}/vault.yml.",
    ),
    "missing value on one host": (
        inventory(one={"dn01d": {"broker_host": MISSING}}),
        f"Variable broker_host is not set on dn01d: put it in {GROUP_VARS}/broker.yml.",
    ),
    "missing mail password": (
        inventory({"airflow_config_smtp_user": "mail"}),
        "Secret airflow_config_smtp_password, which airflow_config_smtp_user needs, is not set: "
        f"put it in {GROUP_VARS}/vault.yml.",
    ),
    "hosts that disagree": (
        inventory(one={"dn01d": {"metadata_db_port": 3307}}),
        "metadata_db_port must be the same on all hosts of dev, it is 3306 on mn01d; 3307 on dn01d: "
        f"set it once in {GROUP_VARS}/metadata_db.yml.",
    ),
    "secrets that disagree": (
        inventory(one={"dn01d": {"airflow_config_secret_key": "another-secret-key"}}),
        "airflow_config_secret_key must be the same on all hosts of dev, it is a value on mn01d; a value on dn01d: "
        f"set it once in {GROUP_VARS}/vault.yml.",
    ),
    "misspelt variable": (
        inventory({"dag_release_kep": 3}),
        "Variable dag_release_kep is known to no role (did you mean dag_release_keep?): correct or remove it in "
        f"{GROUP_VARS}/dag_release.yml.",
    ),
    "variable of nobody": (
        inventory({"broker_colour": "red"}),
        f"Variable broker_colour is known to no role: correct or remove it in {GROUP_VARS}/broker.yml.",
    ),
    "wrong type": (
        inventory({"airflow_pools": {"etl": 3}}),
        f"airflow_pools must be a list, it is a dictionary: correct it in {GROUP_VARS}/airflow.yml.",
    ),
    "number as password": (
        inventory({"broker_password": 12345678}),
        f"broker_password must be text, it is a whole number, quote it: correct it in {GROUP_VARS}/vault.yml.",
    ),
    "wrong choice": (
        inventory({"airflow_install_source": "whelhouse"}),
        "airflow_install_source is 'whelhouse' and may be wheelhouse or index: correct it in "
        f"{GROUP_VARS}/airflow_install.yml.",
    ),
    "airflow 3": (
        inventory({"airflow_version": "3.3.2"}),
        "airflow_version is '3.3.2', and Airflow 3 is refused on MariaDB, because its scheduler crashes 60 seconds "
        "after every start there and the migration stops half way: set 2.11.2 in "
        f"{GROUP_VARS}/airflow.yml.",
    ),
    "unsupported version": (
        inventory({"airflow_version": "2.10.5"}),
        f"airflow_version is '2.10.5' and may be 2.11.2: correct it in {GROUP_VARS}/airflow.yml.",
    ),
    "mini scheduler on MariaDB": (
        inventory({"airflow_config_settings": {"scheduler": {"schedule_after_task_execution": True}}}),
        "[scheduler] schedule_after_task_execution in airflow_config_settings is True, and the scheduler "
        f"would die of it ({DEADLY[0].reason}): remove it from {GROUP_VARS}/airflow_config.yml.",
    ),
    "mini scheduler by Airflow's default": (
        inventory({"airflow_config_settings": {"scheduler": {"schedule_after_task_execution": None}}}),
        "[scheduler] schedule_after_task_execution in airflow_config_settings is null, which means true, and the "
        f"scheduler would die of it ({DEADLY[0].reason}): remove it from {GROUP_VARS}/airflow_config.yml.",
    ),
    "no pool of connections for the web server": (
        inventory(one={"mn01d": {"airflow_config_host_settings": {"database": {"sql_alchemy_pool_enabled": "false"}}}}),
        "[database] sql_alchemy_pool_enabled in airflow_config_host_settings is false, and the web server "
        f"would die of it ({DEADLY[1].reason}): remove it from {GROUP_VARS}/airflow_config.yml.",
    ),
    "mini scheduler by the environment": (
        inventory({"airflow_environment_extra": {"AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "True"}}),
        "[scheduler] schedule_after_task_execution in airflow_environment_extra is True, and the scheduler "
        f"would die of it ({DEADLY[0].reason}): remove it from {GROUP_VARS}/airflow.yml.",
    ),
    "unknown broker": (
        inventory({"broker_kind": "kafka"}),
        f"broker_kind is 'kafka' and may be rabbitmq or redis: correct it in {GROUP_VARS}/broker.yml.",
    ),
    "vhost of the other broker": (
        inventory({"broker_kind": "redis"}),
        "broker_vhost is 'airflow' and must be the number of a Redis database (0 to 15): "
        f"correct it in {GROUP_VARS}/broker.yml.",
    ),
    "port out of range": (
        inventory({"broker_port": 70000}),
        f"broker_port is 70000 and must be a port from 1 to 65535: correct it in {GROUP_VARS}/broker.yml.",
    ),
    "port given twice": (
        inventory({"metadata_db_port": 5672}),
        "Port 5672 is given to MariaDB and the broker on host mn01d: change metadata_db_port or broker_port in "
        f"{GROUP_VARS}/.",
    ),
    "port of an airflow option": (
        inventory({"airflow_config_settings": {"webserver": {"web_server_port": 3306}}}),
        "Port 3306 is given to MariaDB and the web server on host mn01d: change metadata_db_port or web_server_port of "
        f"airflow_config_settings in {GROUP_VARS}/.",
    ),
    "UI user without password": (
        inventory({"airflow_ui_users": [{"username": "kim", "role": "Op"}]}),
        f"airflow_ui_users lists 'kim', who has no password: add it to airflow_ui_passwords in {GROUP_VARS}/vault.yml.",
    ),
    "UI role that does not exist": (
        inventory({"airflow_ui_users": [{"username": "admin", "role": "Boss"}]}),
        f"airflow_ui_users[0].role is 'Boss' and may be Admin or Op: correct it in {GROUP_VARS}/airflow_ui.yml.",
    ),
    "variable of the role in the environment": (
        inventory({"airflow_environment_extra": {"PATH": "/x"}}),
        f"airflow_environment_extra has PATH, which the role sets itself: take it out in {GROUP_VARS}/airflow.yml.",
    ),
    "no name in the environment": (
        inventory({"airflow_environment_extra": {"JAVA-HOME": "/x"}}),
        "airflow_environment_extra has 'JAVA-HOME', which names no environment variable: correct it in "
        f"{GROUP_VARS}/airflow.yml.",
    ),
    "quote in the environment": (
        inventory({"airflow_environment_extra": {"OPTS": "it's"}}),
        "airflow_environment_extra.OPTS holds a single quote or a line break: take it out in "
        f"{GROUP_VARS}/airflow.yml.",
    ),
    "account that runs everything": (
        inventory({"airflow_run_as_users": ["etl", "airflow"]}),
        f"airflow_run_as_users names airflow, as whom tasks run anyway: take it out in {GROUP_VARS}/airflow.yml.",
    ),
    "database account of the server": (
        inventory({"metadata_db_user": "root"}),
        f"metadata_db_user names 'root', an account of the server itself: name another in "
        f"{GROUP_VARS}/metadata_db.yml.",
    ),
    "client of the server": (
        inventory({"metadata_db_clients": [{"name": "mariadb.sys", "hosts": []}]}),
        "metadata_db_clients names 'mariadb.sys', an account of the server itself: name another in "
        f"{GROUP_VARS}/metadata_db.yml.",
    ),
    "client with a quote": (
        inventory({"metadata_db_clients": [{"name": "k'im", "hosts": []}]}),
        'metadata_db_clients names "k\'im" and must name a database account (letters, digits, _ . -): correct it in '
        f"{GROUP_VARS}/metadata_db.yml.",
    ),
    "account twice": (
        inventory({"metadata_db_clients": [{"name": "airflow", "hosts": []}]}),
        f"metadata_db_user and metadata_db_clients name 'airflow' 2 times: keep one in {GROUP_VARS}/metadata_db.yml.",
    ),
    "broker account of the server": (
        inventory({"broker_user": "guest"}),
        f"broker_user is 'guest', an account of the server itself: name another in {GROUP_VARS}/broker.yml.",
    ),
    "network with host bits": (
        inventory({"metadata_db_allowed_hosts": ["mn01d", "10.1.2.3", "10.1.2.3/24"]}),
        "metadata_db_allowed_hosts names '10.1.2.3/24' and must name hosts, IPv4 addresses or IPv4 networks as "
        f"10.1.2.0/24: correct it in {GROUP_VARS}/metadata_db.yml.",
    ),
    "host of a client": (
        inventory({"metadata_db_clients": [{"name": "kim", "hosts": ["10.1.2.999"]}]}),
        "metadata_db_clients names '10.1.2.999' and must name hosts, IPv4 addresses or IPv4 networks as "
        f"10.1.2.0/24: correct it in {GROUP_VARS}/metadata_db.yml.",
    ),
    "batch of nothing": (
        inventory({"airflow_services_worker_batch": "101%"}),
        "airflow_services_worker_batch is '101%' and must be a number of hosts from 1 or a percentage from 1% to 100%: "
        f"correct it in {GROUP_VARS}/airflow_services.yml.",
    ),
    "port of ssh": (
        inventory({"ansible_port": "ssh"}),
        f"ansible_port is 'ssh' and must be a port from 1 to 65535: correct it in {GROUP_VARS}/ansible.yml.",
    ),
    "secret of another vault": (
        with_broken("x", "vault"),
        "metadata_db_host cannot be decrypted on dn01d: give the vault password that it was encrypted with "
        "(--ask-vault-pass or ANSIBLE_VAULT_PASSWORD_FILE), or encrypt it anew in group_vars/dev/zz.yml:7.",
    ),
    "format of Airflow with braces": (
        with_broken("tag name expected", name="airflow_config_settings.logging.log_format"),
        "airflow_config_settings.logging.log_format cannot be worked out on dn01d (tag name expected): correct it in "
        "group_vars/dev/zz.yml:7, or write !unsafe before the text if it is no template.",
    ),
    "password with braces": (
        with_broken("unknown tag 'marker'", name="site_password"),
        "site_password cannot be worked out on dn01d (its template fails): correct it in "
        "group_vars/dev/zz.yml:7, or write !unsafe before the text if it is no template.",
    ),
    "template of a role that fails by ours": (
        with_broken("'mn' is undefined", "cause", "broker_host"),
        f"broker_host cannot be worked out on dn01d ('mn' is undefined): correct it in {GROUP_VARS}/broker.yml.",
    ),
    "UI user twice": (
        inventory({"airflow_ui_users": [{"username": "admin"}, {"username": "admin"}]}),
        f"airflow_ui_users has username 'admin' 2 times: keep one in {GROUP_VARS}/airflow_ui.yml.",
    ),
    "client without password": (
        inventory(
            {
                "metadata_db_clients": [{"name": "lee"}],
                "metadata_db_client_passwords": {"kim": "client-marker"},
            },
        ),
        "metadata_db_clients lists 'lee', who has no password: add it to metadata_db_client_passwords in "
        f"{GROUP_VARS}/vault.yml.",
    ),
}


@pytest.mark.parametrize(("bad", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_inventory_is_told_in_one_sentence(bad: Inventory, sentence: str) -> None:
    found = findings(bad)
    assert sentence in found
    assert all(finding.endswith(".") and "\n" not in finding for finding in found)


ONE_SENTENCE = (
    "hosts of dev that say prod", "environment is empty", "environment is misspelt",
    "misspelt group", "group with a hyphen", "address that does not exist", "address of IPv6", "port that is text",
    "port that is text on one host", "accounts as text", "key that is no text", "emptied list",
    "password of a name without quotes", "account beside what is not known yet",
    "login host beside what is not known yet", "wrong type", "number as password",
)  # fmt: skip


@pytest.mark.parametrize("name", ONE_SENTENCE)
def test_one_fault_is_one_sentence(name: str) -> None:
    bad, sentence = BAD[name]
    strangers = [
        finding for finding in findings(bad, expected=len(bad.environments())) if "known to no role" not in finding
    ]
    assert strangers == [sentence]


def test_groups_of_hosts_below_ours_may_have_names_near_to_them() -> None:
    assert findings(inventory(groups={"airflow_workers": ["dn01d"], "brokers": ["mn01d"]})) == []


@pytest.mark.parametrize("bad", [bad for bad, _ in BAD.values()], ids=BAD)
def test_no_finding_shows_a_secret(bad: Inventory) -> None:
    text = " ".join(findings(bad))
    assert "marker" not in text
    assert "12345678" not in text
    assert ":pass@" not in text


NAMES: dict[str, tuple[str, Any]] = {
    "parent folder": ("airflow_stack_version", "../x"),
    "slash": ("airflow_stack_version", "2.2/1"),
    "space": ("airflow_stack_version", "2.2 1"),
    "empty": ("airflow_stack_version", ""),
    "relative path": ("airflow_home", "usr/hmg/airflow"),
    "path upwards": ("airflow_home", "/usr/hmg/../etc"),
    "path with a space": ("airflow_stack_root", "/usr/h mg"),
    "path with a newline": ("airflow_stack_root", "/usr/hmg\nx"),
    "option as user": ("airflow_user", "-rf"),
    "shell in user": ("airflow_user", "air$(id)"),
    "root as user": ("airflow_user", "root"),
    "root as run_as_user": ("airflow_run_as_users", ["etl", "root"]),
    "wildcard as run_as_user": ("airflow_run_as_users", ["ALL,!x"]),
    "quote in database": ("metadata_db_name", "air`flow"),
    "quote in account": ("metadata_db_user", "air'flow"),
    "space in host": ("metadata_db_host", "mn01d;id"),
    "space in vhost": ("broker_vhost", "air flow"),
    "mode without quotes": ("dag_release_file_mode", 0o640),
    "folder mode that is not octal": ("dag_release_folder_mode", "0798"),
    "text as port": ("metadata_db_port", "mysql"),
    "zero as port": ("broker_port", 0),
}


@pytest.mark.parametrize(("name", "value"), NAMES.values(), ids=NAMES)
def test_an_unsafe_value_is_named_with_its_file(name: str, value: Any) -> None:
    found = [finding for finding in findings(inventory({name: value})) if finding.startswith(name)]
    assert found
    assert all(f"{GROUP_VARS}/{name.partition('_')[0]}" in finding for finding in found)


def test_an_unsafe_host_name_is_refused() -> None:
    found = findings(inventory(groups={name: ["mn01d", "dn_01"] for name in ("dev", "airflow", "airflow_worker")}))
    assert found == [
        "Host 'dn_01' is no host name (letters, digits, - and dots): rename it in inventories/dev/hosts.yml and "
        "inventories/dev/topology.yml."
    ]


FERNET_KEYS = {
    "short": (FERNET[:40], "its 40 characters stand for 30 bytes"),
    "not base64": ("k" * 43 + "!", "its 44 characters are not URL-safe base64"),
    "Korean": ("열쇠", "its 2 characters are not URL-safe base64"),
    "second of two": (f"{FERNET},short", "its 5 characters are not URL-safe base64"),
}


@pytest.mark.parametrize(("key", "fault"), FERNET_KEYS.values(), ids=FERNET_KEYS)
def test_a_fernet_key_of_the_wrong_shape_is_refused_unseen(key: str, fault: str) -> None:
    assert findings(inventory({"airflow_config_fernet_key": key})) == [
        f"airflow_config_fernet_key is no Fernet key, {fault}: put 32 random bytes in URL-safe base64 "
        f"(44 characters) in {GROUP_VARS}/vault.yml."
    ]


def test_a_rotation_of_two_fernet_keys_is_good() -> None:
    assert findings(inventory({"airflow_config_fernet_key": f"{FERNET},{FERNET}"})) == []


def test_the_key_that_ambari_publishes_is_refused() -> None:
    assert findings(inventory({"airflow_config_secret_key": "temporary_key"})) == [
        "airflow_config_secret_key is a key that Ambari packs publish as their default: put your own in "
        f"{GROUP_VARS}/vault.yml."
    ]


def test_external_services_need_no_group() -> None:
    external = {"metadata_db_external": True, "broker_external": True, "metadata_db_host": "db.example.com"}
    empty: dict[str, list[str]] = {"metadata_db": [], "broker": []}
    good = inventory(external, groups=empty)
    known = {**INPUTS, "metadata_db_external": Input("bool"), "broker_external": Input("bool")}
    assert findings(replace(good, inputs=known)) == []


@pytest.mark.parametrize(
    "layers",
    [
        {
            "airflow_config_settings": {"scheduler": {"schedule_after_task_execution": True}},
            "airflow_config_host_settings": {"scheduler": {"schedule_after_task_execution": False}},
        },
        {"airflow_environment_extra": {"AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "f"}},
        {"airflow_config_host_settings": {"database": {"sql_alchemy_pool_enabled": False}}},
    ],
    ids=["the stronger layer", "false by the environment", "a pool where no scheduler runs"],
)
def test_a_deadly_option_that_does_not_act_is_good(layers: dict[str, Any]) -> None:
    assert findings(inventory(one={"dn01d": layers})) == []


def test_a_play_on_two_environments_names_both_when_one_is_missing() -> None:
    assert findings(inventory(), expected=2) == [
        "This play works on 2 environments and the inventory holds only dev: "
        "type ansible-playbook -i inventories/prod -i inventories/dev sync_meta.yml."
    ]


def test_all_faults_are_told_at_once_and_each_once() -> None:
    found = findings(inventory({"broker_kind": "kafka", "airflow_version": "3.0.0"}, groups={"airflow_worker": []}))
    assert len(found) == len(set(found)) == 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner | st.just(LATER), max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
# Entries with the keys that rules look for, and anything in them.
ENTRIES = st.lists(
    st.dictionaries(st.sampled_from(["username", "name", "role", "email", "sql_alchemy_conn", "database"]), ANYTHING)
)
OTHERS = (
    "airflow_config_settings", "airflow_config_parameters", "metadata_db_clients", "metadata_db_client_passwords",
    "airflow_environment_extra", "broker_allowed_hosts", "airflow_services_worker_batch",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from([*GOOD, *OTHERS]), value=ANYTHING | ENTRIES)
def test_no_value_is_too_strange_for_a_sentence(name: str, value: Any) -> None:
    found = findings(inventory({name: value}))
    assert all("\n" not in finding and repr(LATER) not in finding for finding in found)
