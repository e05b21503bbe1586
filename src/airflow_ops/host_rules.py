"""What a host must satisfy before anything is installed on it: observations in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_ops.inventory_model import Environment, Host, is_true
from airflow_ops.inventory_values import duties

PYTHONS = ((3, 10), (3, 12))
FAMILIES = {"debian": "Debian", "rhel": "RedHat", "fedora": "RedHat", "centos": "RedHat"}
# Processes that may hold the port of a service, because they are that service.
OWNERS = {"MariaDB": ("mariadbd", "mysqld"), "the broker": ("beam.smp", "redis-server", "valkey-server")}

Seen = Mapping[str, Any]


@dataclass(frozen=True)
class Needs:
    """What the inventory wants of one host. Sizes are MiB, times seconds."""

    host: str
    environment: str
    file: str
    python: str
    home: str
    log_folder: str
    home_free_mb: int
    log_free_mb: int
    memory_mb: int
    clock_seconds: int
    ports: Mapping[int, str]
    names: tuple[str, ...]
    airflow: bool
    take_over: bool


def needs(environment: Environment, host: Host, thresholds: Mapping[str, int]) -> Needs:
    """Return what a host must offer for the duties that its groups give it.

    :param thresholds: ``home_free_mb``, ``log_free_mb``, ``memory_mb`` and ``clock_seconds``.
    """
    variables = host.variables
    others = [name for name in environment.inventory.groups.get(environment.name, ()) if name != host.name]
    services = [str(variables[name]) for name in ("metadata_db_host", "broker_host") if variables.get(name)]
    return Needs(
        host=host.name,
        environment=environment.name,
        file=environment.file("airflow_python"),
        python=str(variables.get("airflow_python", "")),
        home=str(variables.get("airflow_home", "")),
        log_folder=str(variables.get("airflow_log_folder", "")),
        ports={port: service for port, service, _ in duties(environment, host)},
        names=tuple(dict.fromkeys([*others, *(name for name in services if name != host.name)])),
        airflow=bool(environment.members("airflow")),
        take_over=is_true(variables.get("airflow_take_over")),
        **thresholds,
    )


def host_findings(wanted: Needs, seen: Seen, clock_error: float) -> list[str]:
    """Return every finding about one host.

    :param seen: what library/preflight_look.py returns.
    :param clock_error: seconds by which the host's clock differs for sure, latency taken off; positive is ahead.
    """
    return [*(finding for rule in RULES for finding in rule(wanted, seen)), *clock(wanted, clock_error)]


def clock_error(before: float, host: float, after: float) -> float:
    """Return how far a host's time lies outside the interval in which it was asked, 0 inside."""
    return min(host - before, 0.0) + max(host - after, 0.0)


def family(release: Mapping[str, str]) -> str:
    """Return the OS family that /etc/os-release stands for, or ''."""
    ids = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((FAMILIES[name] for name in ids if name in FAMILIES), "")


def operating_system(_wanted: Needs, seen: Seen) -> Iterator[str]:
    """The roles hold data for this family."""
    release = seen["os_release"]
    if not family(release):
        name = release.get("PRETTY_NAME") or "unknown"
        yield f"The operating system is {name}, but only the families Debian and RedHat are supported: use another."


def python(wanted: Needs, seen: Seen) -> Iterator[str]:
    """The Python from which the virtual environment is made is one that Airflow runs on."""
    if not wanted.airflow:
        return
    version = tuple(seen["python"][:2])
    if not PYTHONS[0] <= version <= PYTHONS[1]:
        found = f"is Python {'.'.join(map(str, version))}" if version else "does not run"
        yield f"{wanted.python} {found}, and Airflow needs Python 3.10 to 3.12: set airflow_python in {wanted.file}."


def disk(wanted: Needs, seen: Seen) -> Iterator[str]:
    """There is room where Airflow and its logs will lie."""
    for path, least, name in (
        (wanted.home, wanted.home_free_mb, "preflight_home_free_mb"),
        (wanted.log_folder, wanted.log_free_mb, "preflight_log_free_mb"),
    ):
        free = seen["free_mb"].get(path)
        if free is not None and free < least:
            yield f"{free} MiB are free for {path} and {least} are wanted: free some, or lower {name}."


def memory(wanted: Needs, seen: Seen) -> Iterator[str]:
    """The host has the memory that the services need."""
    if seen["memory_mb"] < wanted.memory_mb:
        yield (
            f"The host has {seen['memory_mb']} MiB of memory and {wanted.memory_mb} are wanted: "
            "add some, or lower preflight_memory_mb."
        )


def ports(wanted: Needs, seen: Seen) -> Iterator[str]:
    """Nobody else listens where our services will."""
    ours = {unit["name"] for unit in seen["units"] if unit["ours"]}
    for listener in seen["listeners"]:
        service = wanted.ports.get(listener["port"])
        known = OWNERS.get(service or "", ())
        if service and listener["unit"] not in ours and listener["process"] not in known:
            process = listener["process"] or "an unknown process"
            unit = f", {listener['unit']}" if listener["unit"] else ""
            yield (
                f"Port {listener['port']}, wanted for {service}, is in use by {process} (pid {listener['pid']}{unit}): "
                f"stop it, or give {service} another port."
            )


def names(wanted: Needs, seen: Seen) -> Iterator[str]:
    """The host finds the others by name, and not as itself."""
    addresses: Mapping[str, list[str]] = seen["addresses"]
    unknown = [name for name in wanted.names if not addresses.get(name)]
    if unknown:
        yield f"The host cannot resolve {', '.join(unknown)}: add the names to DNS or to /etc/hosts."
    for name in wanted.names:
        loops = [address for address in addresses.get(name, ()) if address.startswith("127.") or address == "::1"]
        if loops:
            yield f"The host resolves {name} to {loops[0]}, which is the host itself: correct DNS or /etc/hosts."


def foreign_airflow(wanted: Needs, seen: Seen) -> Iterator[str]:
    """No Airflow that is not ours runs here, unless it is to be taken over."""
    ours = {unit["name"] for unit in seen["units"] if unit["ours"]}
    evidence = [
        *seen["ambari"],
        *(f"unit {unit['path']}" for unit in seen["units"] if not unit["ours"]),
        *(f"process {one['pid']} ({one['command']})" for one in seen["processes"] if one["unit"] not in ours),
        *(f"configuration {path}" for path in seen["configurations"]),
    ]
    if evidence and not wanted.take_over:
        yield (
            f"An Airflow that is not ours is on the host ({'; '.join(evidence)}): "
            f"remove it, or set airflow_take_over: true in {wanted.file}."
        )


def clock(wanted: Needs, error: float) -> Iterator[str]:
    """The clocks agree: schedules, heartbeats and logs compare the times of several hosts."""
    if abs(error) > wanted.clock_seconds:
        side = "ahead of" if error > 0 else "behind"
        yield (
            f"The clock is {abs(error):.0f} seconds {side} the controller's and {wanted.clock_seconds} are tolerated: "
            "let both follow the same time server."
        )


RULES: tuple[Callable[[Needs, Seen], Iterator[str]], ...] = (
    operating_system,
    python,
    disk,
    memory,
    ports,
    names,
    foreign_airflow,
)
