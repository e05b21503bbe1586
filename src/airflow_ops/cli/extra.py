"""Variables that no option names: ``--var NAME=VALUE``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from airflow_ops.cli.environments import REPOSITORY
from airflow_ops.cli.values import BadValue


def extra_variables(texts: Iterable[str]) -> dict[str, Any]:
    """Return the variables; a name that no role declares is misspelt, and a secret does not belong here."""
    pairs = [pair(text) for text in texts]
    if not pairs:
        return {}
    from airflow_ops.inventory_model import SECRETS  # noqa: PLC0415 (rarely needed)

    declared = inputs()
    for name, _ in pairs:
        if name in SECRETS:
            raise BadValue(
                f"{name} is a secret, which everybody on this machine could read here; it belongs into vault.yml."
            )
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            raise BadValue(f"no role has a variable {name}{f'; did you mean {near[0]}?' if near else '.'}")
    return dict(pairs)


def pair(text: str) -> tuple[str, Any]:
    """Return name and value; the value is JSON, or a text."""
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z]\w*", name):
        raise BadValue(f"--var {text!r} is not NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def inputs() -> set[str]:
    """Return the variables that the roles declare."""
    import yaml  # noqa: PLC0415 (rarely needed)

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: set[str] = set()
    for path in REPOSITORY.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.load(path.read_text("utf-8"), Loader=loader)["argument_specs"].values():
            found |= set(entry.get("options") or {})
    return found
