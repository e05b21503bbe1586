"""What an inventory must satisfy before any host is touched.

Each rule yields findings: one sentence that says what is wrong, the value seen, and where to fix it. No finding shows a
secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from airflow_ops.config_rules import CONFIG_RULES
from airflow_ops.connection_sync import inventory as connection_sync
from airflow_ops.deadly_options import deadly_options
from airflow_ops.inventory_accounts import ACCOUNT_RULES
from airflow_ops.inventory_model import (
    SECRETS,
    VAULT_FIX,
    Broken,
    Environment,
    Host,
    Inventory,
    folded,
    is_true,
    waits,
)
from airflow_ops.inventory_types import wrong_types
from airflow_ops.inventory_values import VALUE_RULES
from airflow_ops.login_rules import logins

SERVICE_GROUPS = ("airflow_scheduler", "airflow_webserver", "airflow_triggerer", "airflow_worker")
GROUPS = ("airflow", "metadata_db", "broker", *SERVICE_GROUPS)

REQUIRED = (
    "metadata_db_host",
    "metadata_db_port",
    "metadata_db_name",
    "metadata_db_user",
    "metadata_db_password",
    "broker_kind",
    "broker_host",
    "broker_port",
    "broker_vhost",
    "broker_user",
    "broker_password",
    "airflow_config_fernet_key",
    "airflow_config_secret_key",
    "airflow_ui_passwords",
)
REQUIRED_WITH = {
    "metadata_db_client_passwords": "metadata_db_clients",
    "airflow_config_smtp_password": "airflow_config_smtp_user",
    "connection_sync_passwords": "connection_sync_vault_passwords",
}

# Variables, options and keys whose texts are never shown, not even in part.
SECRET_WORDS = re.compile(r"passw|secret|token|key|webhook|sql_alchemy_conn|broker_url|result_backend", re.IGNORECASE)

SAME_EVERYWHERE = (*REQUIRED, "airflow_version", "airflow_home", "airflow_dags_folder", "airflow_user", "airflow_group")

EnvironmentRule = Callable[[Environment], Iterator[str]]


def findings(inventory: Inventory, expected: int = 1) -> list[str]:
    """Return every finding, in order and each once.

    ``expected`` is the number of environments that the play works on.
    """
    found = [*environment_count(inventory, expected), *membership(inventory)]
    if len(inventory.environments()) == expected > 1:
        found.extend(connection_sync.sides(inventory))
    for environment in inventory.environments():
        wrong = wrong_types(environment)
        found += [finding for of_one in wrong.values() for finding in of_one]
        known = environment.without(frozenset(wrong))
        for rule in (*RULES, connection_sync.rules):
            found.extend(rule(known))
    return [redacted(finding, inventory) for finding in dict.fromkeys(found)]


def redacted(text: str, inventory: Inventory) -> str:
    """Hide secrets in a finding; none should be there, but a template's own error message is not ours."""
    for host in inventory.hosts.values():
        for name in SECRETS & host.given:
            value = host.variables.get(name)
            for secret in value.values() if isinstance(value, dict) else [value]:
                if isinstance(secret, str) and len(secret) >= 4:
                    text = text.replace(secret, "********")
    return text


def environment_count(inventory: Inventory, expected: int) -> Iterator[str]:
    """Refuse a run on more, or fewer, environments than the play works on."""
    names = [environment.name for environment in inventory.environments()]
    if len(names) > expected:
        yield (
            f"This play works on {_count(expected)} and the inventory holds {len(names)} ({', '.join(names)}): "
            "name one only with -i or ANSIBLE_INVENTORY."
        )
    elif len(names) < expected and names:
        yield (
            f"This play works on {_count(expected)} and the inventory holds only {', '.join(names)}: "
            "type ansible-playbook -i inventories/prod -i inventories/dev sync_meta.yml."
        )


def _count(number: int) -> str:
    return "one environment" if number == 1 else f"{number} environments"


def membership(inventory: Inventory) -> Iterator[str]:
    """Each host belongs to exactly one environment, and an environment is also the group that holds its hosts."""
    names = [environment.name for environment in inventory.environments()]
    several: dict[tuple[str, ...], list[str]] = {}
    outside: dict[tuple[str, str], list[str]] = {}
    for host in (host for host in inventory.hosts.values() if host.environment):
        groups = tuple(name for name in names if host.name in inventory.groups.get(name, ()))
        if len(groups) > 1:
            several.setdefault(groups, []).append(host.name)
        elif host.environment not in groups:
            homes = [name for name in inventory.folders if host.name in inventory.groups.get(name, ())]
            outside.setdefault((host.environment, homes[0] if len(homes) == 1 else ""), []).append(host.name)
    for groups, hosts in several.items():
        yield (
            f"{_named(hosts)} belongs to {len(groups)} environments ({', '.join(groups)}): "
            f"remove it from one of {', '.join(f'inventories/{name}/hosts.yml' for name in groups)}."
        )
    for (mine, home), hosts in outside.items():
        seen = f"airflow_environment is {mine!r} on {', '.join(hosts)}"
        if home:
            yield f"{seen}, below group {home}: write {home} in inventories/{home}/group_vars/{home}/airflow.yml."
        else:
            yield (
                f"{seen}, and group {mine} does not hold {'it' if len(hosts) == 1 else 'them'}: set it only in "
                f"inventories/{mine}/group_vars/{mine}/airflow.yml and list each host in inventories/{mine}/hosts.yml."
            )
    yield from _homeless(inventory, names)


def _named(hosts: list[str]) -> str:
    return f"{'Host' if len(hosts) == 1 else 'Each of'} {', '.join(hosts)}"


def _homeless(inventory: Inventory, names: list[str]) -> Iterator[str]:
    """Tell the hosts without an environment: not listed, or listed and the variable is missing, empty or unknown."""
    homes = names or inventory.folders
    listed = {host for name in homes for host in inventory.groups.get(name, ())} if homes else set(inventory.hosts)
    hosts = [host for host in inventory.hosts.values() if not host.environment]
    folder = f"inventories/{homes[0] if len(homes) == 1 else '<env>'}"
    unlisted = [host.name for host in hosts if host.name not in listed]
    if unlisted:
        yield (
            f"No environment holds {', '.join(unlisted)}: list each host below the group of its environment in "
            f"{folder}/hosts.yml or take it out of {folder}/topology.yml."
        )
    file = f"{folder}/group_vars/{homes[0] if len(homes) == 1 else '<env>'}/airflow.yml"
    told: dict[str, list[str]] = {}
    for host in (host for host in hosts if host.name in listed):
        told.setdefault(_why_homeless(host, inventory), []).append(host.name)
    for why, members in told.items():
        yield f"airflow_environment {why} on {', '.join(members)}: write the name of the environment in {file}."


def _why_homeless(host: Host, inventory: Inventory) -> str:
    name = "airflow_environment"
    if name in host.broken:
        return f"cannot be worked out ({host.broken[name].reason})"
    if name in host.variables and not waits(host.variables[name]):
        return "is empty"
    if name in host.given:
        return "waits for facts, which come only after it is asked for,"
    near = get_close_matches(name, host.given - inventory.inputs.keys(), n=1, cutoff=0.8)
    return f"is not set ({near[0]} is)" if near else "is not set"


def strangers(environment: Environment) -> Iterator[str]:
    """No host may also be a host, or carry the address of a host, of an environment that was not loaded."""
    loaded = {known.name for known in environment.inventory.environments()}
    for other, hosts in environment.inventory.elsewhere.items():
        if other in loaded:
            continue
        owners = {address: name for name, address in hosts.items() if address}
        for host in environment.hosts:
            address = str(host.variables.get("ansible_host", ""))
            if host.name in hosts:
                yield (
                    f"Host {host.name} of {environment.name} is also a host of {other}: "
                    f"remove it from {environment.hosts_file()} or from inventories/{other}/hosts.yml."
                )
            elif address in owners:
                yield (
                    f"Host {host.name} of {environment.name} has the address {address}, which "
                    f"inventories/{other}/hosts.yml gives to {owners[address]} of {other}: "
                    f"correct it in {environment.hosts_file()}."
                )


def addresses(environment: Environment) -> Iterator[str]:
    """Two hosts never share one address and port."""
    owners: dict[tuple[str, str], str] = {}
    for name, host in environment.inventory.hosts.items():
        address = str(host.variables.get("ansible_host", name))
        owner = owners.setdefault((address, str(host.variables.get("ansible_port", 22))), name)
        if owner != name and host in environment.hosts:
            yield f"Hosts {owner} and {name} have the same address {address}: correct it in {environment.hosts_file()}."


def airflow_group(environment: Environment) -> Iterator[str]:
    """Every host that runs a part of Airflow is in group airflow."""
    for group in SERVICE_GROUPS:
        missing = [name for name in environment.members(group) if name not in environment.members("airflow")]
        if missing:
            yield (
                f"Group airflow lacks {', '.join(missing)} of group {group}: "
                f"make {group} a child of airflow in {environment.topology()}."
            )


def misspelt_groups(environment: Environment) -> Iterator[str]:
    """A group that is named almost like one of ours holds none of its own hosts, else no play would look at them."""
    known = {folded(name): name for name in GROUPS}
    for group in environment.inventory.groups:
        near = get_close_matches(folded(group), known, n=1, cutoff=0.85) if group not in GROUPS else []
        ours = known[near[0]] if near else ""
        missing = [name for name in environment.members(group) if name not in environment.members(ours)]
        if ours and missing:
            yield (
                f"Group {group} holds {', '.join(missing)} and no play knows it (did you mean {ours}?): "
                f"rename it, or make it a child of {ours}, in {environment.topology()}."
            )


def group_sizes(environment: Environment) -> Iterator[str]:
    """One database and one broker unless they are external, one active scheduler, a worker and a web server."""
    where = f"of {environment.name}"
    topology = environment.topology()
    for group in ("metadata_db", "broker"):
        members = environment.members(group)
        if len(members) != 1 and not is_true(environment.value(f"{group}_external")):
            yield (
                f"Group {group} {where} holds {_listed(members)} and must hold exactly one: "
                f"correct {topology}, or set {group}_external if somebody else runs it."
            )
    schedulers = environment.members("airflow_scheduler")
    active = str(environment.value("airflow_active_scheduler") or "")
    if active not in schedulers and (active or len(schedulers) > 1):
        yield (
            f"Group airflow_scheduler {where} holds {_listed(schedulers)} and airflow_active_scheduler is {active!r}, "
            "but one must be active and the others standbys, because Airflow takes no row locks on MariaDB "
            f"and two schedulers queue the same task twice: name it in {environment.file('airflow_active_scheduler')}."
        )
    for group in ("airflow_scheduler", "airflow_webserver", "airflow_worker"):
        if not environment.members(group):
            yield f"Group {group} {where} is empty and must hold at least one host: correct {topology}."


def _listed(names: list[str]) -> str:
    hosts = "host" if len(names) == 1 else "hosts"
    return f"{len(names)} {hosts} ({', '.join(names)})" if names else "no host"


def service_hosts(environment: Environment) -> Iterator[str]:
    """The database and the broker that Airflow connects to are this environment's own."""
    for group in ("metadata_db", "broker"):
        name = f"{group}_host"
        members = environment.members(group)
        for value, where in environment.values(name):
            other = _other_environment(environment, str(value))
            if other:
                yield f"{name} is {value}{where}, a host of {other}: correct it in {environment.file(name)}."
            elif is_true(environment.value(f"{group}_external")):
                continue
            elif str(value) in ("localhost", "127.0.0.1", "::1") and len(environment.members("airflow")) > 1:
                yield (
                    f"{name} is {value}{where}, which is another machine on every host: "
                    f"name the host of group {group} in {environment.file(name)}."
                )
            elif members and str(value) in {host.name for host in environment.hosts} - set(members):
                yield (
                    f"{name} is {value}{where}, but group {group} holds {', '.join(members)}: "
                    f"correct {environment.file(name)} or {environment.topology()}."
                )


def _other_environment(environment: Environment, host: str) -> str:
    loaded = {other.name: {one.name for one in other.hosts} for other in environment.inventory.environments()}
    known = {**{name: set(hosts) for name, hosts in environment.inventory.elsewhere.items()}, **loaded}
    if host in known[environment.name]:
        return ""
    return next((name for name, hosts in known.items() if host in hosts), "")


def broken_texts(environment: Environment) -> Iterator[str]:
    """Every text that the inventory gives can be decrypted and worked out."""
    found: dict[tuple[str, Broken], list[str]] = {}
    for host in environment.hosts:
        for path, why in host.broken.items():
            found.setdefault((path, why), []).append(host.name)
    told = {why.place for _, why in found if why.kind != "cause"}
    for (path, why), hosts in found.items():
        if why.kind != "cause" or why.place not in told:
            where = "" if len(hosts) == len(environment.hosts) else f" on {', '.join(hosts)}"
            yield _broken(path, why, where, environment.file(path))


def _broken(path: str, why: Broken, where: str, file: str) -> str:
    place = file if why.kind == "cause" else why.place or file
    if why.kind == "vault":
        return f"{path} cannot be decrypted{where}: {VAULT_FIX}, or encrypt it anew in {place}."
    # What a template says of itself may hold a part of it.
    reason = "its template fails" if SECRET_WORDS.search(path) else why.reason
    # Formats of Airflow and passwords may well hold braces.
    braces = why.kind == "template" and (path.startswith("airflow_config_") or SECRET_WORDS.search(path))
    unsafe = ", or write !unsafe before the text if it is no template" if braces else ""
    return f"{path} cannot be worked out{where} ({reason}): correct it in {place}{unsafe}."


def missing_values(environment: Environment) -> Iterator[str]:
    """What has no default is set on every host: secrets in the vault, the rest in the file of its role.

    A value that is given and not there waits for facts, or is told by another rule, as a misspelt name is.
    """
    wanted = [*REQUIRED, *(name for name, cause in REQUIRED_WITH.items() if environment.value(cause))]
    misspelt = set(_unknown_variables(environment).values())
    for name in (name for name in wanted if name not in misspelt):
        lacking = [
            host.name
            for host in environment.hosts
            if host.variables.get(name) in (None, "") and (name in host.variables or name not in host.given)
        ]
        if lacking:
            where = "" if len(lacking) == len(environment.hosts) else f" on {', '.join(lacking)}"
            cause = f", which {REQUIRED_WITH[name]} needs," if name in REQUIRED_WITH else ""
            kind = "Secret" if name in SECRETS else "Variable"
            yield f"{kind} {name}{cause} is not set{where}: put it in {environment.file(name)}."


def unequal_values(environment: Environment) -> Iterator[str]:
    """What the hosts of one cluster must agree on is the same on all of them."""
    for name in SAME_EVERYWHERE:
        values = list(environment.values(name))
        if len(values) > 1:
            seen = "; ".join(f"{'a value' if name in SECRETS else repr(value)}{where}" for value, where in values)
            yield (
                f"{name} must be the same on all hosts of {environment.name}, it is {seen}: "
                f"set it once in {environment.file(name)}."
            )


def unknown_variables(environment: Environment) -> Iterator[str]:
    """A variable with the prefix of a role is an input of some role, else it is misspelt and would act nowhere."""
    for name, near in _unknown_variables(environment).items():
        hint = f" (did you mean {near}?)" if near else ""
        yield f"Variable {name} is known to no role{hint}: correct or remove it in {environment.file(folded(name))}."


def _unknown_variables(environment: Environment) -> dict[str, str]:
    """Return each with the name that it is near to, or ''."""
    inputs = environment.inventory.inputs
    prefixes = tuple(f"{role}_" for role in environment.inventory.roles)
    given = dict.fromkeys(name for host in environment.hosts for name in sorted(host.given))
    unknown = [
        name for name in given if folded(name).startswith(prefixes) and name not in inputs and name not in SECRETS
    ]
    return {name: next(iter(get_close_matches(folded(name), inputs, n=1, cutoff=0.8)), "") for name in unknown}


RULES: tuple[EnvironmentRule, ...] = (
    strangers,
    addresses,
    airflow_group,
    misspelt_groups,
    group_sizes,
    service_hosts,
    broken_texts,
    missing_values,
    unequal_values,
    unknown_variables,
    *VALUE_RULES,
    *ACCOUNT_RULES,
    *CONFIG_RULES,
    logins,
    deadly_options,
)
