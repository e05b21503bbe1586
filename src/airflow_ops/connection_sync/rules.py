"""What the admin wants done with the source's values on the way: data, checked before any host is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from airflow_ops.connection_sync.model import CONNECTIONS, KINDS, Fields, Kind, Value
from airflow_ops.connection_sync.normal import closed, mapped, opened, port
from airflow_ops.connection_sync.secret import LOOKS_SECRET
from airflow_ops.inventory_model import waits

PREFIX = "connection_sync_"
HOWS = ("exact", "glob", "regex")
REWRITABLE = ("host", "port", "schema", "login", "extra", "value")
# A name or address as a whole: mn01p is not part of mn01p.example.com, nor 10.0.0.1 of 10.0.0.11.
WHOLE = r"(?<![\w.-])(?:{})(?![\w-]|\.\w)"


def matches(name: str, globs: Iterable[str]) -> bool:
    """Say whether any glob fits a name."""
    return any(fnmatchcase(name, glob) for glob in globs)


@dataclass(frozen=True)
class Rewrite:
    """One replacement in one field of the things that ``id`` fits."""

    field: str
    how: str
    pattern: str
    to: str
    id: str = "*"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Rewrite:
        """Return the rule that an entry of connection_sync_rewrite describes."""
        how = next(name for name in HOWS if values.get(name) is not None)
        return cls(str(values["field"]), how, str(values[how]), str(values["to"]), str(values.get("id") or "*"))

    def apply(self, text: str) -> str:
        """Return what becomes of a text."""
        if self.how == "regex":
            return re.sub(self.pattern, self.to, text)
        fits = text == self.pattern if self.how == "exact" else fnmatchcase(text, self.pattern)
        return self.to if fits else text

    def fits_path(self, path: tuple[str, ...]) -> bool:
        """Say whether it means the value at a path; the field alone means all values in it that look harmless."""
        if self.field == path[0]:
            return not any(LOOKS_SECRET.search(key) for key in path[1:])
        return f"{'.'.join(path)}.".startswith(f"{self.field}.")


@dataclass(frozen=True)
class Protect:
    """What belongs to the target: things as a whole, or some of their fields."""

    id: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All rules of a run; the names are those of the variables without their prefix."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    rewrite: tuple[Rewrite, ...] = ()
    protect: tuple[Protect, ...] = ()
    target_passwords: tuple[str, ...] = ()
    vault_passwords: tuple[str, ...] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)
    production: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    prune: bool = False

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Rules:
        """Return the rules that the variables describe; ``findings`` has found nothing."""
        lists = ("include", "exclude", "target_passwords", "vault_passwords", "production", "allow")
        return cls(
            **{name: tuple(map(str, values[name] or ())) for name in lists},
            hosts={str(old): str(new) for old, new in (values["hosts"] or {}).items()},
            rewrite=tuple(map(Rewrite.read, values["rewrite"] or ())),
            protect=tuple(
                Protect(str(entry["id"]), tuple(map(str, entry.get("fields") or ())))
                for entry in values["protect"] or ()
            ),
            passwords={str(name): str(text) for name, text in (values.get("passwords") or {}).items()},
            prune=str(values["prune"]).lower() in ("true", "yes"),
        )

    def protected(self, name: str) -> bool:
        """Say whether a thing belongs to the target as a whole."""
        return any(fnmatchcase(name, entry.id) for entry in self.protect if not entry.fields)

    def protected_fields(self, name: str) -> list[str]:
        """Return the fields of a thing that belong to the target."""
        fitting = (entry for entry in self.protect if fnmatchcase(name, entry.id))
        return list(dict.fromkeys(field for entry in fitting for field in entry.fields))

    @cached_property
    def _host_names(self) -> re.Pattern[str]:
        names = sorted(map(re.escape, self.hosts), key=len, reverse=True)
        return re.compile(WHOLE.format("|".join(names)), re.IGNORECASE)

    def translate(self, text: str) -> str:
        """Return a text in which every host of the table has its new name."""
        if not self.hosts:
            return text
        table = {old.lower(): new for old, new in self.hosts.items()}
        return self._host_names.sub(lambda found: table[found[0].lower()], text)

    def rewritten(self, kind: Kind, name: str, fields: Fields) -> dict[str, Value]:
        """Return the source's row as the target should have it; a row that no rule touches stays as it is."""
        rules = [rule for rule in self.rewrite if fnmatchcase(name, rule.id)]
        row = dict(fields)
        for field_name in ("host", "port", "schema", "login"):
            if field_name in kind.fields and row.get(field_name) not in (None, ""):
                row[field_name] = self._text((field_name,), row[field_name], rules)
        if kind.open and row.get(kind.open):
            row[kind.open] = self._opened((kind.open,), row[kind.open], rules)
        return row

    def _opened(self, path: tuple[str, ...], value: Value, rules: list[Rewrite]) -> Value:
        content = opened(value)
        if not isinstance(content, dict):  # one opaque text
            return self._text(path, value, rules)
        changed = mapped(content, lambda inner, found: self._text((*path, *inner), found, rules))
        return value if changed == content else closed(changed)

    def _text(self, path: tuple[str, ...], value: Value, rules: list[Rewrite]) -> Value:
        if value is None or isinstance(value, bool):
            return value
        text = before = str(value)
        named = path[0] == "host" or path[0] in ("extra", "value")
        if named and not any(LOOKS_SECRET.search(key) for key in path[1:]):
            text = self.translate(text)
        for rule in rules:
            if rule.fits_path(path):
                text = rule.apply(text)
        if text == before:
            return value
        return port(text) if path == ("port",) or isinstance(value, int) else text


def findings(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence, without a place, for each rule that cannot work.

    :param values: the variables without their prefix, of the types that the argument spec declares.
    """
    for name, judge in (("rewrite", _rewrite_findings), ("protect", _protect_findings)):
        for number, entry in enumerate(values[name], 1):
            if not waits(entry):
                yield from (f"{PREFIX}{name}, entry {number}, {text}" for text in judge(entry))
    known = {
        name: [entry for entry in values[name] if not waits(entry)]
        for name in ("production", "kinds", "vault_passwords")
    }
    for pattern in known["production"]:
        if "/" in str(pattern) and not _is_network(str(pattern)):
            yield f"{PREFIX}production holds {pattern!r}, which is neither a network (10.1.0.0/16) nor a glob of a host"
    for kind in known["kinds"]:
        if kind not in KINDS:
            yield f"{PREFIX}kinds holds {kind!r} and may hold {', '.join(KINDS)}"
    passwords = values.get("passwords")  # without any, the missing secret is told
    lacking = [name for name in known["vault_passwords"] if passwords and name not in passwords]
    if lacking:
        yield f"{PREFIX}passwords has no password for {', '.join(lacking)} of {PREFIX}vault_passwords"


def _rewrite_findings(entry: Any) -> Iterator[str]:
    if not isinstance(entry, Mapping) or entry.get("field") is None or entry.get("to") is None:
        yield "needs field, to, and one of exact, glob and regex"
        return
    given = [how for how in HOWS if entry.get(how) is not None]
    if len(given) != 1:
        yield f"has {' and '.join(given) or 'no pattern'}; it needs exactly one of exact, glob and regex"
    if str(entry["field"]).split(".")[0] not in REWRITABLE or entry["field"] in ("password", "description"):
        yield f"names the field {entry['field']!r}; it may be host, port, schema, login, extra, extra.KEY or value"
    unknown = set(entry) - {"id", "field", "to", *HOWS}
    if unknown:
        yield f"has {', '.join(sorted(unknown))}, which no rule knows"
    if given == ["regex"]:
        yield from _regex_findings(str(entry["regex"]), str(entry["to"]))


def _regex_findings(pattern: str, to: str) -> Iterator[str]:
    try:
        re.sub(pattern, to, "")
    except (re.error, IndexError) as error:
        yield f"has the regex {pattern!r} with the replacement {to!r}, which Python refuses ({error})"


def _protect_findings(entry: Any) -> Iterator[str]:
    if not isinstance(entry, Mapping) or not entry.get("id"):
        yield "needs id, a glob; and may have fields"
        return
    known = {name for kind in KINDS.values() for name in kind.fields}
    for name in entry.get("fields") or ():
        if str(name).split(".")[0] not in known:
            yield f"names the field {name!r}; it may be {', '.join(CONNECTIONS.fields)}, extra.KEY or value"


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
