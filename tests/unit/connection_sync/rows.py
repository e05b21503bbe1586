"""Rows for the tests of the sync."""

from __future__ import annotations

import json
from typing import Any

from airflow_ops.connection_sync.model import Fields
from airflow_ops.connection_sync.rules import Protect, Rewrite, Rules

EMPTY: dict[str, Any] = {
    "conn_type": "mysql",
    "host": None,
    "port": None,
    "schema": None,
    "login": None,
    "password": None,
    "extra": None,
    "description": None,
}
NO_RULES: dict[str, Any] = {
    "kinds": ["connections"],
    "include": ["*"],
    "exclude": [],
    "hosts": {},
    "rewrite": [],
    "protect": [],
    "target_passwords": [],
    "vault_passwords": [],
    "passwords": None,
    "production": [],
    "allow": [],
    "prune": False,
}


def row(extra: object = None, **fields: Any) -> Fields:
    """Return a connection; an extra that is no text becomes JSON."""
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    return {**EMPTY, "extra": text, **fields}


def rewrite(field: str, to: str, id: str = "*", **how: str) -> Rules:
    """Return rules with one rewrite."""
    return Rules(rewrite=(Rewrite.read({"field": field, "to": to, "id": id, **how}),))


def protect(id: str, *fields: str) -> Rules:
    """Return rules that protect something."""
    return Rules(protect=(Protect(id, fields),))
