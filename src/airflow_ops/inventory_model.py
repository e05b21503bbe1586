"""The inventory as plain data, so that rules can look at it without Ansible and without a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

SECRETS = frozenset(
    {
        "metadata_db_password",
        "metadata_db_client_passwords",
        "broker_password",
        "airflow_config_fernet_key",
        "airflow_config_secret_key",
        "airflow_config_smtp_password",
        "airflow_ui_passwords",
        "connection_sync_passwords",
        "watchdog_webhook_url",
    }
)
VAULT_FIX = "give the vault password that it was encrypted with (--ask-vault-pass or ANSIBLE_VAULT_PASSWORD_FILE)"


class Later:
    """Stands in a list or a dictionary for a part that facts will tell, or that another finding tells as broken."""

    def __repr__(self) -> str:
        """Return what no sentence should ever show."""
        return "(not known yet)"


LATER = Later()


def waits(value: object) -> bool:
    """Say whether a value or a part of it is not known yet, so that no rule can judge it."""
    if isinstance(value, Mapping):
        return any(map(waits, value.values()))
    return any(map(waits, value)) if isinstance(value, list) else value is LATER


def folded(name: str) -> str:
    """Return a name as it was meant: broker-host and Broker_Host are no variables that a role reads."""
    return name.replace("-", "_").lower()


def is_true(value: object) -> bool:
    """Say whether a switch is on; the command line gives it as text."""
    return str(value).lower() in ("true", "yes")


@dataclass(frozen=True)
class Input:
    """One variable that an argument spec declares, or one part of it: what a list holds, the keys of a dictionary.

    ``default`` says whether it has one that is not null, so that null is no value for it.
    """

    kind: str = "str"
    choices: tuple[str, ...] = ()
    required: bool = False
    default: bool = False
    elements: str = ""
    options: Mapping[str, Input] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """A text of the inventory that cannot be worked out: why, and where it stands (file:line), '' where nobody knows.

    ``kind`` is ``template`` for a text that is itself a wrong template, ``cause`` for one that uses a wrong one and
    ``vault`` for one that cannot be decrypted.
    """

    reason: str
    place: str = ""
    kind: str = "template"


class Without(Mapping[str, Any]):
    """Variables of which some are left out, without asking for the others: that would work them all out."""

    def __init__(self, variables: Mapping[str, Any], names: frozenset[str]) -> None:
        self._variables, self._names = variables, names

    def __getitem__(self, name: str) -> Any:
        if name in self._names:
            raise KeyError(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._variables if name not in self._names)

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True)
class Host:
    """One host: the variables that hold for it, defaults of the roles included.

    ``given`` are the names that the inventory or the command line sets. ``broken`` are the texts that cannot be worked
    out, each by its variable and the keys that lead to it, joined by dots.
    """

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    broken: Mapping[str, Broken] = field(default_factory=dict)

    @property
    def environment(self) -> str:
        """The environment that the host says it belongs to, '' where it says none."""
        value = self.variables.get("airflow_environment")
        return "" if waits(value) else str(value or "")


@dataclass(frozen=True)
class Inventory:
    """Everything that was loaded, whatever the run is limited to.

    ``folders`` are the names of the loaded folders that are meant to be an environment; ``elsewhere`` holds the hosts
    of the environments that were not loaded, each with its address; ``options`` by version what Airflow knows of its
    options (airflow_options.py); ``parameters`` for each name of the operator manual the section and option that it
    sets, joined by a dot.
    """

    hosts: Mapping[str, Host]
    groups: Mapping[str, Sequence[str]]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    versions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    def environments(self) -> list[Environment]:
        """Return the environments by name; a host without one belongs to none."""
        return [Environment(name, self) for name in sorted({host.environment for host in self.hosts.values()} - {""})]


@dataclass(frozen=True)
class Environment:
    """The hosts that say they belong to one environment."""

    name: str
    inventory: Inventory

    @property
    def hosts(self) -> list[Host]:
        """The hosts of this environment."""
        hosts = self.inventory.hosts.values()
        return [host for host in hosts if host.environment == self.name]

    def without(self, names: frozenset[str]) -> Environment:
        """Return the environment without the values of some variables, as if they were not known yet."""
        own = {host.name: replace(host, variables=Without(host.variables, names)) for host in self.hosts}
        return replace(self, inventory=replace(self.inventory, hosts={**self.inventory.hosts, **own}))

    def members(self, group: str) -> list[str]:
        """Return the hosts of this environment that a functional group holds."""
        own = {host.name for host in self.hosts}
        return [name for name in self.inventory.groups.get(group, ()) if name in own]

    def file(self, variable: str) -> str:
        """Return the file that should set a variable or a part of it: the vault for a secret, else that of its role."""
        variable = variable.partition(".")[0].partition("[")[0]
        fitting = [role for role in self.inventory.roles if variable == role or variable.startswith(f"{role}_")]
        default = "ansible" if variable.startswith("ansible_") else "airflow"
        stem = "vault" if variable in SECRETS else max(fitting, key=len, default=default)
        return f"inventories/{self.name}/group_vars/{self.name}/{stem}.yml"

    def hosts_file(self) -> str:
        """Return the file that lists the hosts and their addresses."""
        return f"inventories/{self.name}/hosts.yml"

    def topology(self) -> str:
        """Return the file that says which host does what."""
        return f"inventories/{self.name}/topology.yml"

    def values(self, variable: str) -> Iterator[tuple[Any, str]]:
        """Yield each different value of a variable with the hosts that have it, or '' where all share it."""
        holders: list[tuple[Any, list[str]]] = []
        for host in self.hosts:
            if variable not in host.variables:
                continue
            value = host.variables[variable]
            same = next((names for seen, names in holders if seen == value and type(seen) is type(value)), None)
            if same is None:
                holders.append((value, [host.name]))
            else:
                same.append(host.name)
        for value, names in holders:
            yield value, "" if len(names) == len(self.hosts) else f" on {', '.join(names)}"

    def value(self, variable: str) -> Any:
        """Return the value of a variable that is the same on all hosts, None where it has none."""
        return next((value for value, _ in self.values(variable)), None)
