"""Secrets as a site keeps them: in files that ansible-vault has encrypted, with the password in a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret


def encrypt(values: dict[str, Any], password: str) -> str:
    """Return the text of a vault file that holds the values."""
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
    encrypted: bytes = VaultLib(_opened_by(password)).encrypt(text)
    return encrypted.decode("ascii")


def read(file: Path, password_file: Path) -> dict[str, Any]:
    """Return the values of a vault file, as Ansible reads it."""
    loader = DataLoader()
    loader.set_vault_secrets(_opened_by(password_file.read_text(encoding="ascii").strip()))
    values: dict[str, Any] = loader.load_from_file(str(file))
    return values


def _opened_by(password: str) -> list[tuple[str, VaultSecret]]:
    return [("default", VaultSecret(password.encode("ascii")))]
