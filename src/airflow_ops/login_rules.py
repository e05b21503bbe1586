"""Rules on the logins that an inventory gives Airflow by a URL of its own, beside metadata_db_* and broker_*.

Passwords are changed on our servers, and logins are tried before Airflow gets them, by those variables: a URL that says
something else would be shut out by the next change, or would pass untried. No password is ever shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_ops.cfg_check import Name
from airflow_ops.config_rules import EXTRA, expanded, layers
from airflow_ops.database_url import Login, charset_mistake, login
from airflow_ops.inventory_model import Environment, is_true


@dataclass(frozen=True)
class Server:
    """The prefix of its variables, which is also its group; the variable of what is used on it; schemes of its URLs."""

    prefix: str
    name: str
    schemes: tuple[str, ...]

    def is_ours(self, environment: Environment) -> bool:
        """Say whether the inventory sets the server up."""
        return not is_true(environment.value(f"{self.prefix}_external"))

    def hosts(self, environment: Environment) -> set[str]:
        """Return the names and addresses under which the server is known."""
        members = [host for host in environment.hosts if host.name in environment.members(self.prefix)]
        known = {str(environment.value(f"{self.prefix}_host"))}
        if self.is_ours(environment):
            known |= {name for host in members for name in (host.name, str(host.variables.get("ansible_host", "")))}
        return {name.lower() for name in known}

    def contradicted(self, seen: Login, environment: Environment) -> list[str]:
        """Return the variables that say something else than a URL."""
        parts = {
            self.name: seen.name,
            f"{self.prefix}_user": seen.user,
            f"{self.prefix}_password": seen.password,
            f"{self.prefix}_port": str(seen.port),
        }
        wanted = {variable: environment.value(variable) for variable in parts}
        found = [name for name, value in wanted.items() if value not in (None, "") and str(value) != parts[name]]
        host = f"{self.prefix}_host"
        return found + ([host] if environment.value(host) and seen.host not in self.hosts(environment) else [])


DATABASE = Server("metadata_db", "metadata_db_name", ("mysql", "mariadb"))
BROKERS = {
    "rabbitmq": Server("broker", "broker_vhost", ("amqp", "pyamqp", "amqps")),
    "redis": Server("broker", "broker_vhost", ("redis", "rediss")),
}
CONNECTIONS = (("database", "sql_alchemy_conn"), ("core", "sql_alchemy_conn"), ("celery", "broker_url"))
RESULTS = ("celery", "result_backend")
CONTRADICTS = "contradicts {}, by which passwords are changed and logins tried"
# Options that have Airflow look a value up elsewhere.
ELSEWHERE = ("_cmd", "_secret")


def logins(environment: Environment) -> Iterator[str]:
    """A URL that the inventory gives Airflow says the same as the variables of its server."""
    for layer, settings, where in layers(environment):
        for (section, option), value in settings.items():
            fault = _fault((section, option), value, environment)
            if fault:
                label = f"AIRFLOW__{section}__{option}".upper() if layer == EXTRA else option
                yield (
                    f"{label} in {layer}{where} {fault}: take it out in {environment.file(layer)}, for Airflow's URL "
                    "follows from these variables, or write the same."
                )


def _server(name: Name, environment: Environment) -> Server:
    broker = BROKERS.get(str(environment.value("broker_kind")), BROKERS["rabbitmq"])
    return broker if name[1].startswith("broker_url") else DATABASE


def _fault(name: Name, value: Any, environment: Environment) -> str:
    server = _server(name, environment)
    ours = server.is_ours(environment)
    for suffix in ELSEWHERE:
        base = (name[0], name[1].removesuffix(suffix))
        if base != name and base in (*CONNECTIONS, RESULTS):
            return f"hides whether Airflow logs in by {server.prefix}_*" if ours and value is not None else ""
    if name == RESULTS:
        return _result_fault(expanded(str(value), environment), environment)
    if name not in CONNECTIONS:
        return ""
    if value is None:
        return f"is null, which leaves Airflow without {server.prefix}_*" if ours and name[0] != "core" else ""
    text = expanded(str(value), environment)
    return "" if charset_mistake(text) else _url_fault(text.split(";"), server, environment)


def _url_fault(urls: list[str], server: Server, environment: Environment) -> str:
    """Return what is wrong with the URLs of one server; those after the first are other hosts of it."""
    for number, url in enumerate(urls):
        seen = login(url)
        if seen is None or seen.scheme not in server.schemes:
            # Of a server of others we do not know all ways in.
            return f"is no URL that can be compared with {server.prefix}_*" if server.is_ours(environment) else ""
        places = (f"{server.prefix}_host", f"{server.prefix}_port") if number else ()
        found = [name for name in server.contradicted(seen, environment) if name not in places]
        if found:
            return CONTRADICTS.format(", ".join(found))
    return ""


def _result_fault(text: str, environment: Environment) -> str:
    """Return what is wrong with the URL of the results; only on one of the servers above it has a login of theirs."""
    url = text.removeprefix("db+")
    if charset_mistake(url):
        return ""
    seen = login(url)
    if seen is None:
        return _url_fault([url], DATABASE, environment) if url.startswith(DATABASE.schemes) else ""
    for server in (DATABASE, *BROKERS.values()):
        if seen.scheme in server.schemes and seen.host in server.hosts(environment):
            # They may lie in another database of the broker.
            found = [name for name in server.contradicted(seen, environment) if name != "broker_vhost"]
            return CONTRADICTS.format(", ".join(found)) if found else ""
    return ""
