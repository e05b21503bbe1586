"""Options of airflow.cfg with which a service dies: refused before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_ops.inventory_model import Environment, Host

# How Airflow reads a truth. Null removes an option, and Airflow's own default, true for those below, holds.
TRUE, FALSE = ("true", "t", "1", "none"), ("false", "f", "0")


@dataclass(frozen=True)
class Deadly:
    """An option, the values that it must not have on hosts of a group, who dies of them, and why."""

    section: str
    option: str
    values: tuple[str, ...]
    group: str
    victim: str
    reason: str

    @property
    def variable(self) -> str:
        """The variable of the environment that overrules airflow.cfg."""
        return f"AIRFLOW__{self.section}__{self.option}".upper()


DEADLY = (
    Deadly(
        "scheduler",
        "schedule_after_task_execution",
        TRUE,
        "airflow_worker",
        "the scheduler",
        "tasks that end would expand a mapped task beside it, because Airflow takes no row locks on MariaDB",
    ),
    Deadly(
        "database",
        "sql_alchemy_pool_enabled",
        FALSE,
        "airflow_webserver",
        "the web server",
        "its library gives the pool of MariaDB a size; the scheduler has none already, by its unit",
    ),
)


def deadly_options(environment: Environment) -> Iterator[str]:
    """No layer gives a service an option that kills it."""
    for deadly in DEADLY:
        members = environment.members(deadly.group)
        found: dict[tuple[str, str], list[str]] = {}
        for host in (host for host in environment.hosts if host.name in members):
            value, layer = given(host, deadly)
            if layer and str(value).lower() in deadly.values:
                shown = "null, which means true" if value is None else str(value)
                found.setdefault((shown, layer), []).append(host.name)
        for (shown, layer), hosts in found.items():
            where = "" if len(hosts) == len(members) else f" on {', '.join(hosts)}"
            yield (
                f"[{deadly.section}] {deadly.option} in {layer} is {shown}{where}, and {deadly.victim} would die of it "
                f"({deadly.reason}): remove it from {environment.file(layer)}."
            )


def given(host: Host, deadly: Deadly) -> tuple[Any, str]:
    """Return what the inventory gives a host, and the variable that does, strongest first; '' where none does."""
    extra = host.variables.get("airflow_environment_extra")
    if isinstance(extra, Mapping) and deadly.variable in extra:
        return extra[deadly.variable], "airflow_environment_extra"
    for layer in ("airflow_config_host_settings", "airflow_config_settings"):
        settings = host.variables.get(layer)
        section = settings.get(deadly.section) if isinstance(settings, Mapping) else None
        if isinstance(section, Mapping) and deadly.option in section:
            return section[deadly.option], layer
    return None, ""
