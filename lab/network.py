"""The network of a lab: a bridge, masquerading to the outside, and the kernel settings that all labs share.

Kernel settings are changed while any lab is up and put back when the last one goes down; what they were is kept in
``/run``, which lives as long as the settings do.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.lock import locked
from lab.settings import Settings
from lab.shell import run

MACHINE_FILE = Path("/run/airflow-ops-lab.json")
INTERFACES = Path("/sys/class/net")
IFF_UP = 1

# Least values: with the kernel's own, about twenty hosts exhaust inotify instances and keys.
KERNEL_MINIMUM = {
    "net/ipv4/ip_forward": 1,
    "fs/inotify/max_user_instances": 8192,
    "kernel/keys/maxkeys": 20000,
}


def up(settings: Settings) -> None:
    """Make the bridge, the rules and the kernel settings; what is already there stays."""
    with _machine() as machine:
        before = machine.setdefault("before", {})
        for name, least in KERNEL_MINIMUM.items():
            file = Path("/proc/sys") / name
            value = file.read_text(encoding="ascii").strip()
            if int(value) < least:
                before.setdefault(name, value)
                file.write_text(str(least), encoding="ascii")
        bridges = machine.setdefault("bridges", [])
        if settings.bridge not in bridges:
            bridges.append(settings.bridge)
    if not (INTERFACES / settings.bridge).exists():
        _refuse_taken_network(settings)
        run(["ip", "link", "add", settings.bridge, "type", "bridge"])
    address = f"{settings.gateway}/{settings.network.prefixlen}"
    run(["ip", "address", "replace", address, "dev", settings.bridge])
    run(["ip", "link", "set", settings.bridge, "up"])
    present = _rules(settings.name)
    for table, chain, rule in wanted_rules(settings):
        if (table, chain, rule) not in present:
            # First in its chain: a policy of Docker or a firewall further down must not win.
            run(["iptables", "-w", "-t", table, "-I", chain, *rule])


def down(settings: Settings) -> None:
    """Remove the rules and the bridge; put the kernel settings back when no lab is left."""
    for table, chain, rule in _rules(settings.name):
        run(["iptables", "-w", "-t", table, "-D", chain, *rule])
    for interface in [*_ports_of_dead_hosts(settings), settings.bridge]:
        if (INTERFACES / interface).exists():
            run(["ip", "link", "delete", interface])
    with _machine() as machine:
        bridges = [b for b in machine.get("bridges", []) if b != settings.bridge and (INTERFACES / b).exists()]
        machine["bridges"] = bridges
        if not bridges:
            for name, value in machine.pop("before", {}).items():
                (Path("/proc/sys") / name).write_text(value, encoding="ascii")


def wanted_rules(settings: Settings) -> list[tuple[str, str, list[str]]]:
    """Return (table, chain, rule) of each iptables rule of a lab, as ``iptables -S`` prints them."""
    network = str(settings.network)
    mark = ["-m", "comment", "--comment", _mark(settings.name)]
    return [
        ("nat", "POSTROUTING", ["-s", network, "!", "-d", network, *mark, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-s", network, *mark, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-d", network, *mark, "-j", "ACCEPT"]),
    ]


def marked_rules(table: str, listing: str, mark: str) -> list[tuple[str, str, list[str]]]:
    """Return the rules in the output of ``iptables -S`` that carry ``mark`` as their comment."""
    found = []
    for line in listing.splitlines():
        words = shlex.split(line)
        if words[0] == "-A" and "--comment" in words and words[words.index("--comment") + 1] == mark:
            found.append((table, words[1], words[2:]))
    return found


def plug(settings: Settings, host: str, connected: bool) -> None:
    """Take the bridge port of a host up or down."""
    port = settings.port(host)
    if not (INTERFACES / port).exists():
        raise LabError(f"Host {host} has no network interface; is it running (lab list)?")
    run(["ip", "link", "set", port, "up" if connected else "down"])


def is_cut(settings: Settings, host: str) -> bool:
    """Tell whether the bridge port of a running host is down."""
    flags = INTERFACES / settings.port(host) / "flags"
    return flags.exists() and not int(flags.read_text(encoding="ascii"), 16) & IFF_UP


def unplug_dead(settings: Settings, host: str) -> None:
    """Delete the bridge port that a killed host left behind."""
    if (INTERFACES / settings.port(host)).exists():
        # It may vanish by itself in this moment, with the host's network namespace.
        run(["ip", "link", "delete", settings.port(host)], ok=(0, 1))


def _mark(lab: str) -> str:
    return f"airflow-ops-lab:{lab}"


def _rules(lab: str) -> list[tuple[str, str, list[str]]]:
    return [
        rule
        for table, chain in (("nat", "POSTROUTING"), ("filter", "FORWARD"))
        for rule in marked_rules(table, run(["iptables", "-w", "-t", table, "-S", chain]), _mark(lab))
    ]


def _ports_of_dead_hosts(settings: Settings) -> list[str]:
    return [port.name for port in INTERFACES.glob(f"{settings.port('*')}")]


def _refuse_taken_network(settings: Settings) -> None:
    for link in json.loads(run(["ip", "-json", "-4", "address"])):
        for entry in link["addr_info"]:
            network = ipaddress.IPv4Network((entry["local"], entry["prefixlen"]), strict=False)
            if network.overlaps(settings.network):
                raise LabError(
                    f"Network {settings.network} is in use by interface {link['ifname']} ({network}); "
                    "set LAB_NETWORK to another one."
                )


@contextmanager
def _machine() -> Iterator[dict[str, Any]]:
    """Give the record of what labs changed on this machine, locked; it is gone when no lab is left."""
    with locked(MACHINE_FILE) as file:
        file.seek(0)
        machine: dict[str, Any] = json.loads(file.read() or "{}")
        yield machine
        if not machine.get("bridges"):
            MACHINE_FILE.unlink()
            return
        file.seek(0)
        file.truncate()
        file.write(json.dumps(machine, indent=2) + "\n")
