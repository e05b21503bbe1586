"""What stops a run although it could be written: values that point at production, values that somebody masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from airflow_ops.connection_sync.model import Fields, Items, Kind, Plan
from airflow_ops.connection_sync.rules import PREFIX, Rules, matches
from airflow_ops.connection_sync.secret import HIDDEN, Facet, Veil, facets

MASKED = re.compile(r"\*{3,}")
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*")
# Values where a word is no host.
NO_HOSTS = frozenset({"conn_type", "port", "login", "password", "description", "slots", "include_deferred"})


@dataclass(frozen=True)
class Finding:
    """One value that points at production.

    :param host: what it names, hidden where that might be a secret.
    """

    name: str
    field: str
    host: str


def masked(kind: Kind, source: Items, rules: Rules) -> list[str]:
    """Return name and field of each value of the source that is asterisks instead of itself."""
    return [
        f"{name} ({path})"
        for name, fields in source.items()
        if matches(name, rules.include) and not matches(name, rules.exclude)
        for path, facet in facets(kind, name, fields).items()
        if MASKED.fullmatch(facet.value)
    ]


def results(kind: Kind, made: Plan, target: Items) -> dict[str, Fields]:
    """Return all that the target will hold, also what the plan leaves alone."""
    changed = {change.name: change.after for change in made.changes if change.kind is kind}
    return {name: fields for name, fields in {**target, **changed}.items() if fields is not None}


def production(kind: Kind, rows: Mapping[str, Fields], rules: Rules, hosts: Iterable[str]) -> list[Finding]:
    """Return every value that points at production.

    :param hosts: names and addresses of the hosts of production.
    """
    known = {host.lower() for host in hosts}
    return [
        Finding(name, path, host)
        for name, fields in rows.items()
        if not matches(name, rules.allow)
        for row in [facets(kind, name, fields)]
        for hide in [Veil(facet.value for facet in row.values() if facet.secret)]
        for path, facet in row.items()
        if path.split(".")[0] not in NO_HOSTS
        for host in _pointing(facet, hide, known, rules.production)
    ]


def _pointing(facet: Facet, hide: Veil, known: set[str], patterns: Iterable[str]) -> Iterator[str]:
    """Yield the hosts of production in a value; one that only a pattern takes for one is told where it may be shown."""
    hosts = _hosts(facet.value)
    yield from (host for host in hosts if host.lower() in known)
    if facet.secret and not facet.doubtful:  # a password may look like a host of a pattern
        return
    shown = () if facet.secret else _hosts(hide.hide(facet.value))
    found = [host for host in hosts if host.lower() not in known and _fits(host, patterns)]
    yield from dict.fromkeys(host if host in shown else HIDDEN for host in found)


def _hosts(text: str) -> Iterable[str]:
    return dict.fromkeys(HOST.findall(text))


def _fits(host: str, patterns: Iterable[str]) -> bool:
    return any(_in_network(host, pattern) if "/" in pattern else _is_like(host, pattern) for pattern in patterns)


def _is_like(host: str, glob: str) -> bool:
    return fnmatchcase(host.lower(), glob.lower())


def _in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def refusal(found: list[Finding], target: str, hosts: Iterable[str]) -> str:
    """Return what to say: every value, and the lines to paste into the rules.

    :param hosts: the hosts of the target, among which the counterpart of a production host may be.
    """
    ids = list(dict.fromkeys(finding.name for finding in found))
    many = "1 thing" if len(ids) == 1 else f"{len(ids)} things"
    file = f"inventories/{target}/group_vars/{target}/connection_sync.yml"
    return "\n".join(
        [
            f"{many} of {target} would point at production.",
            *(f"- {finding.name}: {finding.field} names {finding.host}" for finding in found),
            f"Say in {file} what each host is called in {target} (what the rules leave alone: correct it in {target}), "
            "or allow the ids that may point there:",
            *_table(sorted({finding.host for finding in found} - {HIDDEN}), list(hosts)),
            f"{PREFIX}allow: [{', '.join(ids)}]",
        ]
    )


def _table(found: list[str], hosts: list[str]) -> Iterator[str]:
    if found:
        yield f"{PREFIX}hosts:"
    for host in found:
        first, dot, domain = host.partition(".")
        twin = f"{first[:-1]}d"
        yield f"  {host}: {twin + dot + domain if first.endswith('p') and twin in hosts else 'HOST'}"
