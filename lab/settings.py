"""The settings of a lab, from the environment."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_NAME = "lab"
DEFAULT_NETWORK = "10.77.0.0/24"
DEFAULT_STATE = "/var/lib/airflow-ops-lab"
DEFAULT_CACHE = "/var/cache/airflow-ops-lab"

# The outer side of a host's network is called vb-NAME-HOST; the kernel allows 15 characters and host names take 5.
NAME_PATTERN = re.compile(r"[a-z][a-z0-9]{0,5}")


@dataclass(frozen=True)
class Settings:
    """Where a lab lives: its name, network and folders.

    ``network_is_default`` says that nobody asked for this network, so that the one a lab was made with wins.
    """

    name: str
    network: ipaddress.IPv4Network
    state: Path
    cache: Path
    network_is_default: bool = False

    @property
    def bridge(self) -> str:
        """Name of the bridge that all hosts are plugged into."""
        return f"br-{self.name}"

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """Address of the bridge: the first of the network."""
        return self.network[1]

    @property
    def inventory(self) -> Path:
        """Folder of the generated inventory: in the repository for the default lab, in the state for others."""
        return REPOSITORY / "lab" / "inventory" if self.name == DEFAULT_NAME else self.state / "inventory"

    @property
    def vault_password(self) -> Path:
        """The file with the password of the generated vaults; it lives and dies with them."""
        return self.inventory / "vault-password"

    @property
    def ssh_config(self) -> Path:
        """The generated ssh configuration of this lab."""
        return self.state / "ssh" / "config"

    @property
    def runtime(self) -> Path:
        """Folder for sockets; short, because the path of a unix socket has 108 characters at most."""
        return Path("/run/airflow-ops-lab") / self.name

    def machine(self, host: str) -> str:
        """Return the name of a host that is unique on this machine."""
        return f"{self.name}-{host}"

    def port(self, host: str) -> str:
        """Return the name of the bridge port that systemd-nspawn makes for a host."""
        return f"vb-{self.machine(host)}"


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read LAB_NAME, LAB_NETWORK, LAB_STATE and LAB_CACHE; an empty value counts as not set."""
    name = environment.get("LAB_NAME") or DEFAULT_NAME
    if not NAME_PATTERN.fullmatch(name):
        raise LabError(f"LAB_NAME is '{name}'; it must be 1 to 6 small letters and digits and begin with a letter.")
    asked_network = environment.get("LAB_NETWORK")
    return Settings(
        name=name,
        network=_network(asked_network or DEFAULT_NETWORK),
        state=_folder("LAB_STATE", environment.get("LAB_STATE") or f"{DEFAULT_STATE}/{name}"),
        cache=_folder("LAB_CACHE", environment.get("LAB_CACHE") or DEFAULT_CACHE),
        network_is_default=not asked_network,
    )


def _network(text: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise LabError(f"LAB_NETWORK is '{text}', which is not an IPv4 network like {DEFAULT_NETWORK}.") from error
    if network.prefixlen > 24:
        raise LabError(f"LAB_NETWORK is '{text}'; the lab needs a /24 or a larger one.")
    return network


def _folder(variable: str, text: str) -> Path:
    # The path becomes an overlayfs mount option, where these characters are separators.
    if not text.startswith("/") or text == "/" or re.search(r"[\s:,\\]", text):
        raise LabError(f"{variable} is '{text}'; it must be an absolute path without spaces, colons and commas.")
    return Path(text)
