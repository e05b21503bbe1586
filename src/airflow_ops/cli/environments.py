"""Environments: the inventories of each, and whether one is production."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_ops.cli.values import BadValue

REPOSITORY = Path(__file__).parents[3]
PRODUCTION = "prod"  # the group whose hosts are production
# What Ansible passes over in the folder of an inventory, and a section of one in INI form.
PASSED_OVER = re.compile(
    r"^(\.|(group_vars|host_vars|vars_plugins)$)|(~|\.(py[co]|swp|bak|rpm|md|txt|rst|orig|cfg|retry))$"
)
SECTION = re.compile(r"^\[([^.:\]\s]+)[^\]\s]*\]", re.M)


@dataclass(frozen=True)
class Environment:
    """One environment and the inventories that make it up."""

    name: str
    inventories: tuple[Path, ...]

    @property
    def is_production(self) -> bool:
        """Say whether an inventory has the group prod; one that is a program, or not understood, could have it."""
        return self.name == PRODUCTION or any(map(_may_be_production, self.inventories))

    def names(self) -> list[str]:
        """Return the hosts and groups, for the completion of -l."""
        found: set[str] = set()
        for path in self.inventories:
            for file in _files(path):
                for group, content in (_load(file) or {}).items():
                    hosts = content.get("hosts") if isinstance(content, Mapping) else None
                    found |= {str(group), *map(str, hosts or {})}
        return sorted(found)


def folder(variables: Mapping[str, str]) -> Path:
    """Return where the inventories lie."""
    return Path(variables.get("AIRFLOW_OPS_INVENTORIES") or REPOSITORY / "inventories").expanduser()


def known(variables: Mapping[str, str]) -> list[str]:
    """Return the names of all environments."""
    root = folder(variables)
    entries = root.iterdir() if root.is_dir() else ()
    return sorted({path.stem for path in entries if path.is_dir() or path.suffix in (".yml", ".yaml")})


def find(name: str, variables: Mapping[str, str]) -> Environment:
    """Return an environment: its own inventory, and those that ANSIBLE_INVENTORY names together with it.

    :raises BadValue: when there is none of this name.
    """
    root, names = folder(variables), known(variables)
    if name not in names:
        raise BadValue(f"there is no environment {name!r} in {root}; it holds {', '.join(names) or 'none'}.")
    own = next(path for path in (root / name, root / f"{name}.yml", root / f"{name}.yaml") if path.exists())
    return Environment(name, (own, *_beside(own, variables.get("ANSIBLE_INVENTORY", ""))))


def _beside(own: Path, listed: str) -> Iterator[Path]:
    """Yield what follows an inventory in a list, up to the inventory of the next environment."""
    follows = False
    for path in (Path(part.strip()).expanduser() for part in listed.split(",") if part.strip()):
        if path.resolve().parent == own.resolve().parent:
            follows = path.resolve() == own.resolve()
        elif follows:
            yield path.absolute()


def _may_be_production(path: Path) -> bool:
    files = _files(path)
    return not files or any(os.access(file, os.X_OK) or _has_production(_load(file)) for file in files)


def _has_production(groups: Any) -> bool:
    """Say whether production is among groups or their children; what is no group could be anything."""
    return not isinstance(groups, Mapping) or any(
        name == PRODUCTION
        or (group is not None and not isinstance(group, Mapping))
        or _has_production(_children(group))
        for name, group in groups.items()
    )


def _children(group: Mapping[str, Any] | None) -> Any:
    children = (group or {}).get("children")
    return {} if children is None else children


def _files(path: Path) -> list[Path]:
    """Return the files that Ansible reads of an inventory."""
    if not path.is_dir():
        return [path]
    entries = [entry for entry in sorted(path.iterdir()) if not PASSED_OVER.search(entry.name)]
    return [file for entry in entries for file in _files(entry)]


def _load(path: Path) -> Any:
    """Return the groups of a file; None when it is neither YAML nor in INI form."""
    import yaml  # noqa: PLC0415 (the help needs none)

    try:
        text = path.read_text("utf-8")
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except (OSError, UnicodeDecodeError):
        return None
    except yaml.YAMLError:
        content = None
    if isinstance(content, dict):
        return content
    sections = SECTION.findall(text)
    return {PRODUCTION: {}} if PRODUCTION in sections else {} if sections else None
