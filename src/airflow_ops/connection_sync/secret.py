"""What must not be shown, and how the rest is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_ops.connection_sync.model import CONNECTIONS, Fields, Kind
from airflow_ops.connection_sync.normal import opened

# Rather too much: a key that is hidden without need only shows less.
LOOKS_SECRET = re.compile(
    r"pass|pw|secret|token|webhook|credential|private|key|auth|signature|\bsig\b|\bsas\b|sas_|_sas|cert|cookie|session|jwt|proxy|proxies"
    r"|service_account|conn(ection)?_?str|dsn|salt|pin$|otp|bearer",
    re.IGNORECASE,
)
# A password may hold / and @ itself, so all is hidden up to the last @; a mere name before it, as in kim@host, is none.
LOGIN = re.compile(r"^(.*?://|(?=[^@]*[/:]))(.*)(?=@)", re.DOTALL)
WEBHOOK = re.compile(r"(\w*hook[\w.:-]*/)\S+", re.IGNORECASE)
SECRET_IN_QUERY = re.compile(rf"(?i)([?&;,\s]|^)([\w.-]*(?:{LOOKS_SECRET.pattern})[\w.-]*\s*[=:]\s*)[^&;,\s]+")
# What a nameless text may be without being a secret: number, date, word of JSON, URL, path, host with domain or port.
HARMLESS = re.compile(
    r"[\d.:+ -]+|\d{4}-\d\d-\d\dT[\d:.+Z-]+|[Tt]rue|[Ff]alse|null|\{\}|\[\]|\w+://\S+|(/[\w.-]+)+/?"
    r"|[a-z][a-z0-9-]*(\.[a-z0-9-]+)*(\.[a-z]+|:\d+)"
)
HIDDEN = "***"
WIDTH = 60
Path = tuple[str, ...]
SHORTEST = 6  # characters; shorter secrets are words that stand anywhere


@dataclass(frozen=True)
class Facet:
    """One value of a row as people see it: a field, or one key inside its JSON.

    :param doubtful: nothing says that it is a secret, and nothing that it is none; it is not shown either.
    """

    value: str
    secret: bool
    doubtful: bool = False


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
    if kind is CONNECTIONS:
        content = opened(value)
        if not isinstance(content, dict):  # it may be anything
            return {field: Facet(str(value), True)}
        return {".".join((field, *path)): Facet(text, hidden) for path, text, hidden in leaves(content) if path}
    secret = bool(LOOKS_SECRET.search(name))
    return {
        ".".join((field, *path)): Facet(text, True) if secret or hidden else _nameless(path, text)
        for path, text, hidden in leaves(str(value))
    }


def _nameless(path: Path, text: str) -> Facet:
    """Return a value that only a key inside JSON can say something about."""
    doubtful = all(key.isdecimal() for key in path) and not HARMLESS.fullmatch(text)
    return Facet(text, doubtful, doubtful)


def leaves(content: Any, path: Path = (), hidden: bool = False) -> Iterator[tuple[Path, str, bool]]:
    """Yield path, text and whether it is secret, of every value in JSON, also in JSON inside its texts."""
    if isinstance(content, str):
        content = _structure(content) or content
    if content and isinstance(content, Mapping):
        for key, value in content.items():
            yield from leaves(value, (*path, str(key)), hidden or bool(LOOKS_SECRET.search(str(key))))
    elif content and isinstance(content, list):
        for number, value in enumerate(content):
            yield from leaves(value, (*path, str(number)), hidden)
    else:
        yield path, content if isinstance(content, str) else json.dumps(content), hidden


def _structure(text: str) -> Any:
    """Return the object or list that a JSON text holds, None for any other text."""
    try:
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else None
    except ValueError:
        return None


class Veil:
    """Shows texts without the secrets that it knows."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({text for text in secrets if len(text) >= SHORTEST}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return a text without any known secret, login in a URL, secret of a query or path of a webhook."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return WEBHOOK.sub(rf"\1{HIDDEN}", SECRET_IN_QUERY.sub(rf"\1\2{HIDDEN}", LOGIN.sub(rf"\1{HIDDEN}", text)))

    def show(self, text: str) -> str:
        """Return what may be shown of a text on one line, short."""
        line = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in self.hide(text))
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
