"""What airflow.cfg says; read only when there is something to tell."""

from __future__ import annotations

import re
from configparser import Error, RawConfigParser
from urllib.parse import unquote

SECRET_WORDS = ("password", "secret", "_key", "conn", "broker_url", "result_backend", "token")


def read(home: str) -> dict[str, dict[str, str]]:
    """Return the sections of airflow.cfg; nothing when it cannot be read."""
    try:
        with open(f"{home}/airflow.cfg", encoding="utf-8") as file:
            return parsed(file.read())
    except (OSError, UnicodeError):
        return {}


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Return the sections of a text of airflow.cfg; nothing when it is none."""
    parser = RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except Error:
        return {}
    return {name: {key: value.replace("%%", "%") for key, value in parser.items(name)} for name in parser.sections()}


def secrets_of(cfg: dict[str, dict[str, str]]) -> list[str]:
    """Return the values of airflow.cfg that no report may hold, the longest first, and parts of them that errors quote.

    Those are the passwords inside URLs, and what follows a % that somebody forgot to double.
    """
    found = set()
    for section in cfg.values():
        for key, value in section.items():
            if len(value) > 3 and any(word in key for word in SECRET_WORDS):
                found |= {value, value.replace("%", "%%")}
                found |= {text for text in parts_from_percent(value) if len(text) > 3}
                for password in re.findall(r"://[^:/@\s]*:([^@\s]+)@", value):
                    found |= {password, unquote(password)}
    return sorted(found, key=len, reverse=True)


def parts_from_percent(value: str) -> set[str]:
    """Return what follows each % of a value, with it, as Python's error about it quotes that."""
    return {
        text
        for number, sign in enumerate(value)
        if sign == "%"
        for text in (value[number:], repr(value[number:])[1:-1])
    }
