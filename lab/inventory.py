"""The inventory that the lab adds to inventories/<env>: addresses, connection, secrets and sizes."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import keys, tree
from lab.hosts import DEFAULT_HOSTS, ENVIRONMENTS, EXTRA, Host
from lab.settings import REPOSITORY, Settings

# Characters that break a database URL, a shell, an INI file or YAML when somebody forgets to quote.
AWKWARD = "p%@/# 한글:"

# Sizes for two cores: with the formula's 1, a parent DAG that waits for its child would block itself.
SIZES = {
    "airflow_config_parallelism": 8,
    "airflow_config_worker_concurrency": 2,
    "airflow_config_settings": {"webserver": {"workers": 2}},
}

# What makes a cluster use the lab's own mail and file servers, and the environment that does.
SERVICES = REPOSITORY / "lab" / "services" / "cluster.yml"
SERVED = "prod"


def write(settings: Settings, extra: Sequence[Host]) -> None:
    """Write the inventory of the lab; secrets that are there already stay."""
    folder = settings.inventory
    for environment in ENVIRONMENTS:
        own = [host for host in DEFAULT_HOSTS if host.environment == environment]
        _dump(folder / f"{environment}.yml", hosts(settings, environment, own))
        values = folder / "group_vars" / environment
        _dump(values / "ansible.yml", connection(settings))
        _dump(values / "sizes.yml", SIZES)
        if environment == SERVED:
            _dump(values / "services.yml", yaml.safe_load(SERVICES.read_text(encoding="utf-8")))
    if not settings.vault_password.exists():
        write_vaults(settings)
    if extra:
        _dump(folder / "extra.yml", hosts(settings, EXTRA, extra))
        # No inventory of the repository knows these hosts: everything they need is here.
        alone = {"ansible_become": True, "ansible_python_interpreter": "/usr/bin/python3"}
        _dump(folder / "group_vars" / EXTRA / "ansible.yml", {**connection(settings), **alone})


def write_vaults(settings: Settings) -> None:
    """Make the secrets, and the password that opens them; the password comes last, for it says that all are there."""
    from lab import vault  # noqa: PLC0415 - it loads Ansible, which most commands of the lab can do without

    password = secrets.token_urlsafe(24)
    for environment in ENVIRONMENTS:
        text = vault.encrypt(secret_values(environment), password)
        _write(settings.inventory / "group_vars" / environment / "vault.yml", text)
    _write(settings.vault_password, f"{password}\n")


def hosts(settings: Settings, group: str, members: Sequence[Host]) -> dict[str, Any]:
    """Return the inventory of one group: hosts with their addresses only."""
    return {group: {"hosts": {host.name: {"ansible_host": host.address(settings.network)} for host in members}}}


def connection(settings: Settings) -> dict[str, Any]:
    """Return how Ansible logs in, with the lab's own key and known_hosts."""
    known_hosts = keys.known_hosts_file(settings)
    options = [f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"]
    return {
        "ansible_user": tree.ADMIN,
        "ansible_ssh_private_key_file": str(keys.admin_key(settings)),
        "ansible_ssh_common_args": " ".join(f"-o {option}" for option in options),
    }


def secret_values(environment: str) -> dict[str, Any]:
    """Return new secrets. The database password of prod is awkward on purpose."""
    prefix = AWKWARD if environment == "prod" else ""
    return {
        "metadata_db_password": prefix + secrets.token_hex(8),
        "broker_password": secrets.token_urlsafe(24),
        "airflow_config_fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
        "airflow_config_secret_key": secrets.token_hex(32),
        "airflow_ui_passwords": {"admin": secrets.token_urlsafe(12)},
        "metadata_db_client_passwords": {"analyst": secrets.token_urlsafe(16)},
        "airflow_config_smtp_password": secrets.token_urlsafe(16),
    }


def _dump(path: Path, values: dict[str, Any]) -> None:
    _write(path, "---\n" + yaml.safe_dump(values, allow_unicode=True, sort_keys=False))


def _write(path: Path, text: str) -> None:
    """Write a file that only the owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    partial.rename(path)
