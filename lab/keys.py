"""Keys of a lab: one for its admin account, one for each host, and the ssh files that pin them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab import tree
from lab.hosts import Host
from lab.settings import Settings
from lab.shell import run


def admin_key(settings: Settings) -> Path:
    """Return the private key that logs in to every host of the lab, made when missing."""
    return _key(settings.state / "ssh" / "id_ed25519", f"{settings.name} admin")


def host_key(settings: Settings, host: str) -> Path:
    """Return the private host key of a host, made when missing; it lives as long as the lab."""
    return _key(settings.state / "ssh" / "hosts" / host, host)


def known_hosts_file(settings: Settings) -> Path:
    """Return the path of the lab's own known_hosts."""
    return settings.state / "ssh" / "known_hosts"


def public(key: Path) -> str:
    """Return type and text of a key's public half, without its comment."""
    return " ".join(key.with_name(f"{key.name}.pub").read_text(encoding="ascii").split()[:2])


def write_ssh_files(settings: Settings, hosts: Sequence[Host]) -> None:
    """Write known_hosts and the ssh configuration of the lab for ``hosts``."""
    keys = {host.name: public(host_key(settings, host.name)) for host in hosts}
    known_hosts_file(settings).write_text(known_hosts(settings, hosts, keys), encoding="utf-8")
    settings.ssh_config.write_text(ssh_config(settings, hosts), encoding="utf-8")


def known_hosts(settings: Settings, hosts: Sequence[Host], keys: dict[str, str]) -> str:
    """Return the text of known_hosts: each key under the host's name and address."""
    return "".join(f"{host.name},{host.address(settings.network)} {keys[host.name]}\n" for host in hosts)


def ssh_config(settings: Settings, hosts: Sequence[Host]) -> str:
    """Return the text of the ssh configuration: addresses, then what holds for all."""
    lines = [f"Host {host.name}\n    HostName {host.address(settings.network)}" for host in hosts]
    common = f"""\
Host *
    User {tree.ADMIN}
    IdentityFile {settings.state / "ssh" / "id_ed25519"}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts_file(settings)}
    StrictHostKeyChecking yes
    BatchMode yes
    ConnectTimeout 10
    ServerAliveInterval 10
    ControlMaster auto
    ControlPath {settings.runtime}/%C
    ControlPersist 60
"""
    return "\n".join([*lines, common])


def _key(path: Path, comment: str) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return path
