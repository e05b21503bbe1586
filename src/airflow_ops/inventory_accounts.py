"""Rules on the accounts of an inventory: of tasks, database, broker and web UI, and the hosts they come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from airflow_ops.inventory_model import Environment, waits
from airflow_ops.inventory_types import noun
from airflow_ops.inventory_values import DATABASE_ACCOUNT, DATABASE_ACCOUNT_RULE, HOST_OR_ADDRESS, HOSTNAME

# Accounts of our names on hosts that are not listed are removed: with root that would be root itself.
DATABASE_ACCOUNTS = frozenset({"root", "mysql", "mariadb.sys", "debian-sys-maint"})
BROKER_ACCOUNTS = frozenset({"guest", "default"})
# Lists of who may log in; by default the addresses of the cluster's hosts.
LOGIN_LISTS = ("metadata_db_allowed_hosts", "broker_allowed_hosts")


def accounts(environment: Environment) -> Iterator[str]:
    """Tasks never run as root or as an admin, who has sudo: whoever may write a DAG would be root."""
    admins = {
        "root",
        *(str(value) for name in ("airflow_admin_user", "ansible_user") for value, _ in environment.values(name)),
    }
    for name in ("airflow_user", "airflow_run_as_users"):
        for value, where in environment.values(name):
            for account in sorted(admins.intersection(map(str, value if isinstance(value, list) else [value]))):
                yield f"{name} names {account}{where}, and then a DAG is root: correct it in {environment.file(name)}."
    user = str(environment.value("airflow_user"))
    for value, where in environment.values("airflow_run_as_users"):
        if isinstance(value, list) and user in value:
            file = environment.file("airflow_run_as_users")
            yield f"airflow_run_as_users names {user}{where}, as whom tasks run anyway: take it out in {file}."


def server_accounts(environment: Environment) -> Iterator[str]:
    """Accounts of the servers themselves are never taken for ours, and none is declared twice."""
    clients = [client for client in _entries(environment.value("metadata_db_clients")) if not waits(client.get("name"))]
    names = [str(environment.value("metadata_db_user")), *(str(client.get("name")) for client in clients)]
    for variable, account in [("metadata_db_user", names[0]), *(("metadata_db_clients", name) for name in names[1:])]:
        file = environment.file(variable)
        if account in DATABASE_ACCOUNTS:
            yield f"{variable} names {account!r}, an account of the server itself: name another in {file}."
        elif variable == "metadata_db_clients" and not DATABASE_ACCOUNT.fullmatch(account):
            yield f"{variable} names {account!r} and must name {DATABASE_ACCOUNT_RULE}: correct it in {file}."
    for account, count in Counter(names).items():
        if count > 1:
            file = environment.file("metadata_db_clients")
            yield f"metadata_db_user and metadata_db_clients name {account!r} {count} times: keep one in {file}."
    for value, where in environment.values("broker_user"):
        if str(value) in BROKER_ACCOUNTS:
            file = environment.file("broker_user")
            yield f"broker_user is {value!r}{where}, an account of the server itself: name another in {file}."


def host_addresses(environment: Environment) -> Iterator[str]:
    """ansible_host is a host name or an address: one of IPv4 where a list of who may log in follows from it."""
    follow = [name for name in LOGIN_LISTS if not _is_given(environment, name)]
    for value, where in environment.values("ansible_host"):
        if not HOST_OR_ADDRESS.fullmatch(str(value)):
            rule = "a host name or an address"
        elif follow and ":" in str(value):
            rule = f"a host name or an IPv4 address, because {' and '.join(follow)} follow from it"
        else:
            continue
        yield f"ansible_host is {value!r}{where} and must be {rule}: correct it in {environment.hosts_file()}."


def _is_given(environment: Environment, name: str) -> bool:
    return any(name in host.given for host in environment.hosts)


def login_hosts(environment: Environment) -> Iterator[str]:
    """Who may connect to the database and the broker is a host, an IPv4 address or an IPv4 network."""
    hosts = {name: environment.value(name) for name in LOGIN_LISTS if _is_given(environment, name)}
    clients = _entries(environment.value("metadata_db_clients"))
    listed = [*hosts.items(), *(("metadata_db_clients", client.get("hosts")) for client in clients)]
    for name, entries in listed:
        for entry in entries if isinstance(entries, list) else ():
            if not waits(entry) and not _is_source(str(entry)):
                file = environment.file(name)
                yield (
                    f"{name} names {entry!r} and must name hosts, IPv4 addresses or IPv4 networks as 10.1.2.0/24: "
                    f"correct it in {file}."
                )


def _is_source(entry: str) -> bool:
    try:
        return bool(IPv4Network(entry))
    except ValueError:
        return bool(HOSTNAME.fullmatch(entry) and re.search("[A-Za-z]", entry))


def ui_users(environment: Environment) -> Iterator[str]:
    """Every UI account has a password, and none is listed twice."""
    users = _entries(environment.value("airflow_ui_users"))
    file = environment.file("airflow_ui_users")
    yield from _without_password(environment, users, "username", "airflow_ui_users", "airflow_ui_passwords")
    for field in ("username", "email"):
        known = [str(user[field]) for user in users if user.get(field) and not waits(user[field])]
        for value, count in Counter(known).items():
            if count > 1:
                yield f"airflow_ui_users has {field} {value!r} {count} times: keep one in {file}."


def database_clients(environment: Environment) -> Iterator[str]:
    """Every database client has a password; one without hosts is removed."""
    clients = [client for client in _entries(environment.value("metadata_db_clients")) if client.get("hosts") != []]
    yield from _without_password(environment, clients, "name", "metadata_db_clients", "metadata_db_client_passwords")


def _entries(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _without_password(
    environment: Environment, entries: list[Mapping[str, Any]], key: str, listing: str, passwords: str
) -> Iterator[str]:
    known = environment.value(passwords)
    vault = environment.file(passwords)
    if not isinstance(known, Mapping):
        return
    unquoted = {str(name): noun(name) for name in known if not isinstance(name, str)}
    for name, kind in unquoted.items():
        yield f"{passwords} holds the name {name}, which is {kind} and fits nobody: quote it in {vault}."
    listed = [str(entry[key]) for entry in entries if entry.get(key) is not None and not waits(entry[key])]
    for name in (name for name in listed if name not in unquoted):
        if not known.get(name):
            yield f"{listing} lists {name!r}, who has no password: add it to {passwords} in {vault}."
        elif not isinstance(known[name], str) and not waits(known[name]):
            yield f"The password of {name!r} in {passwords} is no text: quote it in {vault}."


ACCOUNT_RULES: tuple[Callable[[Environment], Iterator[str]], ...] = (
    accounts,
    server_accounts,
    host_addresses,
    login_hosts,
    ui_users,
    database_clients,
)
