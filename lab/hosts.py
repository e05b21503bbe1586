"""The table of hosts: names, environments, addresses and layers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import LabError

EXTRA = "extra"
PLAIN = "plain"
FIRST_EXTRA_OFFSET = 100
EXTRA_PATTERN = re.compile(r"x(\d{2,3})")


@dataclass(frozen=True)
class Host:
    """A host as it is planned: ``offset`` is its place in the lab's network, ``layer`` its prepared packages."""

    name: str
    environment: str
    offset: int
    layer: str

    def address(self, network: ipaddress.IPv4Network) -> str:
        """Return the address in ``network``, or refuse where it has no room."""
        if self.offset >= network.num_addresses - 1:
            raise LabError(f"LAB_NETWORK {network} has no room for host {self.name}; use a larger network.")
        return str(network[self.offset])


DEFAULT_HOSTS = (
    Host("mn01p", "prod", 11, "metadata"),
    Host("mn02p", "prod", 12, "node"),
    Host("dn01p", "prod", 21, "node"),
    Host("dn02p", "prod", 22, "node"),
    Host("dn03p", "prod", 23, "node"),
    Host("mn01d", "dev", 31, "metadata"),
    Host("dn01d", "dev", 41, "node"),
)
ENVIRONMENTS = ("prod", "dev")


def extra_host(number: int) -> Host:
    """Return the plain host of that number, counted from 1."""
    return Host(f"x{number:02}", EXTRA, FIRST_EXTRA_OFFSET + number, PLAIN)


def find(name: str) -> Host:
    """Return the host called ``name``."""
    for host in DEFAULT_HOSTS:
        if host.name == name:
            return host
    match = EXTRA_PATTERN.fullmatch(name)
    if match and int(match[1]) > 0 and extra_host(int(match[1])).name == name:
        return extra_host(int(match[1]))
    known = " ".join(host.name for host in DEFAULT_HOSTS)
    raise LabError(f"There is no host '{name}' in the lab; it has {known} and x01, x02, ...")


def choose(names: Sequence[str], extra: int) -> list[Host]:
    """Return the hosts to boot: those named and ``extra`` plain ones; all default hosts when nothing was asked for."""
    if extra < 0:
        raise LabError(f"--extra is {extra}; it must be 0 or more.")
    if not names and not extra:
        return list(DEFAULT_HOSTS)
    chosen = [find(name) for name in names] + [extra_host(number) for number in range(1, extra + 1)]
    return list(dict.fromkeys(chosen))
