"""What an inventory must satisfy for a sync, before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_ops.connection_sync.rules import PREFIX, findings
from airflow_ops.inventory_model import Environment, Inventory

LISTS = (
    "kinds",
    "include",
    "exclude",
    "rewrite",
    "protect",
    "target_passwords",
    "vault_passwords",
    "production",
    "allow",
)
PRODUCTION = "prod"


def rules(environment: Environment) -> Iterator[str]:
    """Every rule of a possible target can work; values of a wrong type are told elsewhere."""
    if environment.name == PRODUCTION:
        return
    names = (*LISTS, "hosts", "passwords")
    values: dict[str, Any] = {name: environment.value(f"{PREFIX}{name}") for name in names}
    right = all(isinstance(values[name], list) for name in LISTS) and isinstance(values["hosts"], dict)
    if right and isinstance(values["passwords"] or {}, dict):
        for text in findings(values):
            yield f"{text}: correct it in {environment.file(f'{PREFIX}rewrite')}."


def sides(inventory: Inventory) -> Iterator[str]:
    """Source and target are two loaded environments, the same for all hosts, and production is no target."""
    environments = inventory.environments()
    loaded = [environment.name for environment in environments]
    chosen: dict[str, str] = {}
    for side in ("source", "target"):
        values = {environment.name: str(environment.value(f"{PREFIX}{side}")) for environment in environments}
        if len(set(values.values())) > 1:
            seen = " and ".join(f"{value!r} in {name}" for name, value in values.items())
            yield f"{PREFIX}{side} is {seen}: set it alike in both inventories, or with -e."
            continue
        chosen[side] = next(iter(values.values()), "")
        if chosen[side] not in loaded:
            yield f"{PREFIX}{side} is {chosen[side]!r} and the inventory holds {', '.join(loaded)}: name one."
    if len(chosen) == 2 and chosen["source"] == chosen["target"]:
        yield f"{PREFIX}source and {PREFIX}target are both {chosen['target']!r}: name two environments."
    hosts = {host.name for host in inventory.hosts.values() if host.environment == chosen.get("target")}
    if chosen.get("target") == PRODUCTION or hosts & set(inventory.groups.get(PRODUCTION, ())):
        yield f"{PREFIX}target is {chosen['target']!r}, and a host of group {PRODUCTION} is never a target."
