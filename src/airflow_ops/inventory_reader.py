"""Read what Ansible loaded into plain data: the edge between Ansible and the inventory rules.

Defaults and argument specs come from the roles themselves, so nothing is declared twice. No connection is opened.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible._internal._templating._marker_behaviors import MarkerBehavior  # locked, as in origin.py
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString
from ansible.template import Templar, is_trusted_as_template

from airflow_ops import airflow_options
from airflow_ops.inventory_model import LATER, Broken, Host, Input, Inventory, folded
from airflow_ops.origin import place

# Facts are not known yet, what the roles keep to themselves follows from facts, and tasks have names of their own.
KNOWN_LATER = re.compile(r"'((ansible_|__|role_|play_)\w+|item)' is undefined|no attribute '(ansible_|__)\w+'")
UNDECRYPTABLE = "undecryptable"
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # plain data: Ansible's own loader takes three times as long
CONNECTION = ("ansible_host", "ansible_port")
SIGN = "\ue000later\ue000"  # of a part that cannot be worked out; nobody writes this


class Signed(MarkerBehavior):
    """Puts a sign where a template fails, while the rest of the list or the dictionary is worked out."""

    def handle_marker(self, value: Any) -> str:  # noqa: ARG002 - why it fails is asked text by text
        """Return the sign."""
        return SIGN


class Reader:
    """Reads hosts out of one run's variables.

    :param roles: the folder of the roles.
    :param task_vars: the variables of an action, of which ``hostvars`` and ``groups`` are read.
    """

    def __init__(self, loader: DataLoader, roles: Path, task_vars: Mapping[str, Any]) -> None:
        self._loader = loader
        self._roles = sorted(path for path in roles.iterdir() if (path / "meta").is_dir())
        self._task_vars = task_vars
        self._defaults = self._merged("defaults/main.yml")
        self._computed = self._merged("vars/main.yml")
        self._inputs = self._declared()

    def inventory(self, hosts: Iterable[str] | None = None) -> Inventory:
        """Return the inventory; with ``hosts``, only these are worked out."""
        hostvars = self._task_vars["hostvars"]
        raw = {name: hostvars.raw_get(name) for name in (hostvars if hosts is None else hosts)}
        return Inventory(
            hosts={str(name): self._host(str(name), variables) for name, variables in raw.items()},
            groups={str(name): [str(host) for host in members] for name, members in self._task_vars["groups"].items()},
            inputs=self._inputs,
            roles=frozenset(path.name for path in self._roles) | _topics(raw.values()),
            versions=self._versions(),
            folders=tuple(
                sorted({path.name for path in _folders(raw.values()) if (path / "group_vars" / path.name).is_dir()})
            ),
            elsewhere=self._elsewhere(raw.values()),
            options=self._options(),
            parameters=self._computed.get("__airflow_config_parameter_names", {}),
        )

    def _load(self, path: Path) -> dict[str, Any]:
        if not path.exists():
            return {}
        return self._loader.load_from_file(str(path), unsafe=True, trusted_as_template=True) or {}

    def _merged(self, name: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for role in self._roles:
            merged.update(self._load(role / name))
        return merged

    def _declared(self) -> dict[str, Input]:
        specs = [path for role in self._roles if (path := role / "meta/argument_specs.yml").exists()]
        entries = [entry for path in specs for entry in yaml.load(path.read_bytes(), FAST)["argument_specs"].values()]
        return {name: declared for entry in entries for name, declared in _inputs(entry.get("options")).items()}

    def _options(self) -> dict[str, Mapping[str, Any]]:
        """Return what each version of Airflow that has a table knows of its options."""
        tables = (airflow_options.load(path) for role in self._roles for path in role.glob("files/airflow-*.yml"))
        return {str(table["version"]): table for table in tables}

    def _versions(self) -> tuple[str, ...]:
        """Return the Airflow versions that have a lock file."""
        locks = (path for role in self._roles for path in role.glob("files/airflow-*.txt"))
        return tuple(sorted({path.stem.removeprefix("airflow-") for path in locks}))

    def _elsewhere(self, hosts: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Return the hosts of the inventories beside the loaded ones, by environment."""
        loaded = _folders(hosts)
        files = {path for folder in loaded for path in folder.parent.glob("*/hosts.yml") if path.parent not in loaded}
        found: dict[str, dict[str, str]] = {}
        for path in sorted(files):
            for group, content in _mapping(self._load(path)).items():
                hosts_of = _mapping(_mapping(content).get("hosts"))
                found[str(group)] = {
                    str(name): str(_mapping(variables).get("ansible_host", "")) for name, variables in hosts_of.items()
                }
        return found

    def _host(self, name: str, raw: Mapping[str, Any]) -> Host:
        prefixes = tuple(f"{role.name}_" for role in self._roles)
        given = {str(key) for key in raw if folded(str(key)).startswith(prefixes)}
        # Variables of the site's own, and of Ansible's connection: all that is a template or encrypted.
        written = {str(key) for key, value in raw.items() if any(_is_worked_out(text) for _, text in texts("", value))}
        layers = {**self._defaults, **self._computed, **raw, "hostvars": self._task_vars["hostvars"]}
        layers.pop("ansible_facts", None)
        names = {*self._defaults, *given, *written, *CONNECTION}
        variables = Variables(Templar(loader=self._loader, variables=layers), layers, names)
        broken = {path: why for key in sorted(given | written) for path, why in variables.broken(key).items()}
        return Host(name, variables, frozenset(given), broken)


class Variables(Mapping[str, Any]):
    """Some variables of a host, each templated when somebody asks for it; one whose template fails is not there.

    Where only a part of a list or a dictionary fails, LATER stands for that part and rules judge the rest. Templating
    all would cost more than all rules, and some defaults look at every other host.
    """

    def __init__(self, templar: Templar, raw: Mapping[str, Any], names: Iterable[str]) -> None:
        self._templar, self._raw = templar, raw
        self._names = sorted(name for name in names if name in raw)
        self._values: dict[str, Any] = {}
        self._failed: set[str] = set()

    def fails(self, name: str) -> bool:
        """Say whether a variable cannot be worked out; one that can is kept."""
        if name in self._names and name not in self._values and name not in self._failed:
            try:
                self._values[name] = plain(self._templar.template(self._raw[name]))
            except AnsibleError:
                self._failed.add(name)
                self._save_parts(name)
        return name in self._failed

    def _save_parts(self, name: str) -> None:
        with contextlib.suppress(AnsibleError):
            value = plain(self._templar._engine.extend(marker_behavior=Signed()).template(self._raw[name]))
            if value is not LATER:
                self._values[name] = value

    def broken(self, name: str) -> dict[str, Broken]:
        """Return why a variable cannot be worked out, text by text; not what facts will tell."""
        if not self.fails(name):
            return {}
        reasons = {path: self._why_not(text) for path, text in texts(name, self._raw[name])}
        if not any(reasons.values()):  # not a text, then, but a key
            reasons = {name: self._why_not(self._raw[name])}
        return {path: why for path, why in reasons.items() if why and not KNOWN_LATER.search(why.reason)}

    def _why_not(self, text: Any) -> Broken | None:
        try:
            self._templar.template(text)
        except AnsibleError as error:
            reason = " ".join(str(error).split())
            if isinstance(text, EncryptedString):
                return Broken(reason, place(text), "vault")
            if UNDECRYPTABLE not in reason:  # else the text that it uses is told
                return Broken(reason, place(error.obj), "template" if place(error.obj) == place(text) else "cause")
        return None

    def __getitem__(self, name: str) -> Any:
        self.fails(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if not self.fails(name) or name in self._values)

    def __len__(self) -> int:
        return len(list(iter(self)))


def _folders(hosts: Iterable[Mapping[str, Any]]) -> set[Path]:
    return {Path(str(variables["inventory_dir"])) for variables in hosts if variables.get("inventory_dir")}


def _topics(hosts: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the files that set variables, for the messages: airflow_ui.yml holds airflow_ui_users."""
    files = (path.stem for folder in _folders(hosts) for path in folder.glob("group_vars/*/*.yml"))
    return frozenset(files) - {"vault", "ansible"}


def texts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every text of a value with the keys that lead to it, joined by dots."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from texts(f"{path}.{key}", part)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from texts(f"{path}[{number}]", part)
    elif isinstance(value, str | EncryptedString):
        yield path, value


def _is_worked_out(text: Any) -> bool:
    return isinstance(text, EncryptedString) or (is_trusted_as_template(text) and "{" in text)


def _inputs(options: Any) -> dict[str, Input]:
    """Return the options of an argument spec, or of one of its options."""
    return {
        str(name): Input(
            kind=str(spec.get("type", "str")),
            choices=tuple(str(choice) for choice in spec.get("choices", ())),
            required=bool(spec.get("required")),
            default=spec.get("default") is not None,
            elements=str(spec.get("elements", "")),
            options=_inputs(spec.get("options")),
        )
        for name, spec in _mapping(options).items()
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def plain(value: Any) -> Any:
    """Return a templated value without Ansible's own types, and LATER for what holds the sign."""
    if isinstance(value, Mapping):
        named = {plain(key): plain(item) for key, item in value.items()}
        return LATER if LATER in named else named  # nobody knows which names it holds
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return LATER if SIGN in str(value) else str(value).encode().decode()
