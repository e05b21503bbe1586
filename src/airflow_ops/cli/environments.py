"""Environments: the inventories of each, and whether one is production."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_ops.cli.values import BadValue

REPOSITORY = Path(__file__).parents[3]
PRODUCTION = "prod"  # the group whose hosts are production


@dataclass(frozen=True)
class Environment:
    """One environment and the inventories that make it up."""

    name: str
    inventories: tuple[Path, ...]

    @property
    def is_production(self) -> bool:
        """Say whether an inventory has the group prod; one that is a program could have anything."""
        return self.name == PRODUCTION or any(map(_may_be_production, self.inventories))

    def names(self) -> list[str]:
        """Return the hosts and groups, for the completion of -l."""
        found: set[str] = set()
        for path in self.inventories:
            for file in _files(path):
                for group, content in _load(file).items():
                    found |= {str(group), *map(str, (content or {}).get("hosts") or {})}
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
    files = list(_files(path))
    return any(os.access(file, os.X_OK) or _has_group(_load(file)) for file in files) or not files


def _has_group(content: Mapping[str, Any]) -> bool:
    return PRODUCTION in content or any(
        PRODUCTION in (group or {}).get("children", {}) for group in content.values() if isinstance(group, Mapping)
    )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and file.suffix in ("", ".yml", ".yaml", ".ini"))


def _load(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 (the help needs none)

    try:
        content = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    # What is no YAML, as an inventory in INI form, is taken for production when it names the group.
    if isinstance(content, dict):
        return content
    return {PRODUCTION: {}} if f"[{PRODUCTION}" in path.read_text("utf-8", errors="replace") else {}
