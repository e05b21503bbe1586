"""Show how a configuration file changes without showing its secrets."""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection

Name = tuple[str, str]
Options = dict[Name, str]
# Ours, for a host that has no Airflow to ask yet.
SENSITIVE = (
    ("core", "fernet_key"),
    ("database", "sql_alchemy_conn"),
    ("celery", "broker_url"),
    ("celery", "result_backend"),
    ("webserver", "secret_key"),
    ("smtp", "smtp_password"),
)
SECRET_NAME = re.compile(r"passw|secret|token|credential|fernet|dsn|kwargs|sql_alchemy_conn$", re.IGNORECASE)
SECRET_VALUE = re.compile(r"://[^/\s]*:[^/\s]*@")


def masked_diff(path: str, before: str, after: str, sensitive: Collection[Name]) -> dict[str, str]:
    """Return Ansible's diff of two texts, option by option, with ``(secret)`` for the value of a secret.

    Comments are left out: somebody's comment may hold an old password.
    """
    old, new = _options(before), _options(after)
    return {
        "before_header": path,
        "after_header": path,
        "before": _lines(old, {}, sensitive),
        "after": _lines(new, old, sensitive),
    }


def _options(text: str) -> Options:
    # Whatever lies on the host is read, also a file with double entries; a broken one is shown as empty.
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {(section, name): parser.get(section, name) for section in parser.sections() for name in parser[section]}


def _lines(options: Options, old: Options, sensitive: Collection[Name]) -> str:
    lines: list[str] = []
    for section, option in sorted(options):
        if f"[{section}]" not in lines:
            lines.append(f"[{section}]")
        lines.append(f"{option} = {_shown((section, option), options, old, sensitive)}")
    return "".join(f"{line}\n" for line in lines)


def _shown(name: Name, options: Options, old: Options, sensitive: Collection[Name]) -> str:
    value = options[name]
    secret = name in sensitive or SECRET_NAME.search(name[1]) or SECRET_VALUE.search(value)
    if not secret:
        return value
    return "(secret, changed)" if name in old and old[name] != value else "(secret)"
