"""What must not be shown, and how the rest is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_ops.connection_sync.model import Fields, Kind
from airflow_ops.connection_sync.normal import opened

# Rather too much: a key that is hidden without need only shows less.
LOOKS_SECRET = re.compile(
    r"pass|pwd|secret|token|credential|private|key|auth|signature|\bsas\b|sas_|_sas|cert|cookie|session|jwt|proxy|proxies"
    r"|service_account|conn(ection)?_?str|dsn|salt|pin$|otp|bearer",
    re.IGNORECASE,
)
LOGIN_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
SECRET_IN_QUERY = re.compile(rf"(?i)([?&;,\s]|^)([\w.-]*(?:{LOOKS_SECRET.pattern})[\w.-]*\s*[=:]\s*)[^&;,\s]+")
HIDDEN = "***"
WIDTH = 60
Path = tuple[str, ...]
SHORTEST = 6  # characters; shorter secrets are words that stand anywhere


@dataclass(frozen=True)
class Facet:
    """One value of a row as people see it: a field, or one key inside its JSON."""

    value: str
    secret: bool


def facets(kind: Kind, name: str, fields: Fields | None) -> dict[str, Facet]:
    """Return what a row consists of by field, and by field.key for what lies in JSON; empty fields are left out."""
    found: dict[str, Facet] = {}
    for field in kind.fields if fields else ():
        value = (fields or {}).get(field)
        if value is None or value == "":
            continue
        if field == kind.open:
            found.update(_inside(kind, name, field, value))
        else:
            found[field] = Facet(str(value), field in kind.secret)
    return found


def _inside(kind: Kind, name: str, field: str, value: Any) -> dict[str, Facet]:
    named_secret = kind.name != "connections" and bool(LOOKS_SECRET.search(name))
    content = opened(value)
    if isinstance(content, dict):
        return {".".join((field, *path)): Facet(text, named_secret or hidden) for path, text, hidden in leaves(content)}
    # An extra that is no object may be anything; the text of a variable is mostly a plain word.
    return {field: Facet(str(value), named_secret or kind.name == "connections")}


def leaves(
    content: Any, path: tuple[str, ...] = (), hidden: bool = False
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield path, text and whether it is secret, of every value in JSON, also in JSON inside its texts."""
    if isinstance(content, str):
        inner = opened(content) if content.lstrip().startswith("{") else content
        content = inner if isinstance(inner, dict) and inner else content
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from leaves(value, (*path, str(key)), hidden or bool(LOOKS_SECRET.search(str(key))))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from leaves(value, (*path, str(number)), hidden)
    else:
        yield path, content if isinstance(content, str) else json.dumps(content), hidden


class Veil:
    """Shows texts without the secrets that it knows."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({text for text in secrets if len(text) >= SHORTEST}, key=len, reverse=True)

    def show(self, text: str) -> str:
        """Return a text on one line, short, without a login in a URL or any known secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        text = SECRET_IN_QUERY.sub(rf"\1\2{HIDDEN}", LOGIN_IN_URL.sub(HIDDEN, text))
        line = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
