"""Connection URLs of the metadata database and the message broker, and the mistakes people make in them.

Filters, the preflight role and the command line share these functions. None of them talks to a server.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

CHARSET_IN_PATH = re.compile(r"^(?P<url>[^?]*)/charset=(?P<charset>[\w-]*)/?(?:\?(?P<query>.*))?$")
PASSWORD_IN_URL = re.compile(r"(?P<head>[\w+.-]+://[^:/@\s]*:)(?P<password>.*)(?P<tail>@)")
# Stricter than SQLAlchemy and Celery, who read a character that is not quoted each in their own way.
LOGIN_IN_URL = re.compile(
    r"(?P<scheme>[\w+.-]+)://(?P<user>[^:/@?#\s]*)(?::(?P<password>[^@/?#\s]*))?@"
    r"(?P<host>\[[^\]@/?#\s]+\]|[^:@/?#\s\[\]]+)(?::(?P<port>\d+))?(?:/(?P<name>[^?#\s]*))?(?:[?#].*)?"
)
BROKER_SCHEMES = {"rabbitmq": "amqp", "redis": "redis"}
PORTS = {"mysql": 3306, "mariadb": 3306, "amqp": 5672, "pyamqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}


class Login(NamedTuple):
    """The parts of a URL, in plain text."""

    scheme: str
    host: str
    port: int | None
    name: str
    user: str
    password: str


def database_url(*, host: str, port: int, name: str, user: str, password: str) -> str:
    """Return the SQLAlchemy URL of a MariaDB database, every part quoted, utf8mb4 on the wire.

    :param port: TCP port of the server.
    :param password: plain text; any character is allowed.
    """
    return f"mysql+mysqldb://{_login(user, password)}@{_host(host)}:{port}/{_quoted(name)}?charset=utf8mb4"


def broker_url(  # noqa: PLR0913 - a URL has that many parts
    *, kind: str, host: str, port: int, vhost: str, user: str, password: str
) -> str:
    """Return the Celery URL of a broker, every part quoted.

    :param kind: ``rabbitmq`` or ``redis``.
    :param vhost: RabbitMQ's virtual host, or the number of the Redis database.
    :raises ValueError: when the kind is another one.
    """
    if kind not in BROKER_SCHEMES:
        raise ValueError(f"broker_kind is {kind!r}, it must be one of {', '.join(BROKER_SCHEMES)}")
    return f"{BROKER_SCHEMES[kind]}://{_login(user, password)}@{_host(host)}:{port}/{_quoted(vhost)}"


def login(url: str) -> Login | None:
    """Return what a URL of a database or a broker logs in with, None for one that no two programs would read alike.

    The scheme is the one of the server (``mysql`` of ``mysql+mysqldb``); a port that is missing is the usual one.
    """
    found = LOGIN_IN_URL.fullmatch(url)
    if found is None:
        return None
    scheme = found["scheme"].partition("+")[0].lower()
    port = int(found["port"]) if found["port"] else PORTS.get(scheme)
    name, user, password = (unquote(found[part] or "") for part in ("name", "user", "password"))
    return Login(scheme, found["host"].strip("[]").lower(), port, name, user, password)


def charset_mistake(url: str) -> str | None:
    """Return the corrected URL when ``url`` says ``/database/charset=utf8``, else None.

    SQLAlchemy reads such a URL as a database named ``database/charset=utf8``. The correction asks for utf8mb4,
    which serves an old utf8mb3 database as well. The result holds the password: show it through ``masked_url``.
    """
    found = CHARSET_IN_PATH.match(url)
    if found is None:
        return None
    query = f"&{found['query']}" if found["query"] else ""
    return f"{found['url']}?charset=utf8mb4{query}"


def masked_url(url: str) -> str:
    """Return the URL with ``(secret)`` in place of its password."""
    return PASSWORD_IN_URL.sub(r"\g<head>(secret)\g<tail>", url)


def _login(user: str, password: str) -> str:
    return f"{_quoted(user)}:{_quoted(password)}"


def _quoted(text: str) -> str:
    # Nothing is safe: the slash ends a part, and Airflow expands a plain $NAME in any value of airflow.cfg.
    return quote(str(text), safe="")


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
