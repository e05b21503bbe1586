"""URLs of the database and the broker, read back by the standard library, and the manual's mistake."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from airflow_ops.database_url import charset_mistake, masked_url
from filter_plugins.broker_url import broker_url
from filter_plugins.database_url import database_url

AWKWARD = "p%@/# 한글:$HOME~x"
ANY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def test_database_url() -> None:
    url = database_url("mn01p", port=3306, name="airflow", user="airflow", password="p%@/# :x")
    assert url == "mysql+mysqldb://airflow:p%25%40%2F%23%20%3Ax@mn01p:3306/airflow?charset=utf8mb4"


@pytest.mark.parametrize(
    ("kind", "vhost", "url"),
    [
        pytest.param("rabbitmq", "airflow", "amqp://u:p@mn01p:1/airflow", id="rabbitmq"),
        pytest.param("rabbitmq", "/", "amqp://u:p@mn01p:1/%2F", id="the default vhost"),
        pytest.param("redis", "0", "redis://u:p@mn01p:1/0", id="redis"),
    ],
)
def test_broker_url(kind: str, vhost: str, url: str) -> None:
    assert broker_url("mn01p", kind=kind, port=1, vhost=vhost, user="u", password="p") == url


def test_unknown_broker_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="broker_kind is 'kafka', it must be one of rabbitmq, redis"):
        broker_url("mn01p", kind="kafka", port=1, vhost="v", user="u", password="p")


@given(user=ANY, password=ANY)
def test_any_login_is_read_back(user: str, password: str) -> None:
    parts = urlsplit(database_url("mn01p", port=3306, name="airflow", user=user, password=password))
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("mn01p", 3306, "/airflow", "charset=utf8mb4")


def test_airflow_has_nothing_to_expand() -> None:
    assert "$" not in database_url("mn01p", port=3306, name="airflow", user="airflow", password=AWKWARD)


def test_address_of_ipv6_is_bracketed() -> None:
    assert "@[fd00::1]:3306/" in database_url("fd00::1", port=3306, name="a", user="u", password="p")


BASE = "mysql+mysqldb://u:p@mn01p:3306/airflow_test"


@pytest.mark.parametrize(
    ("url", "corrected"),
    [
        pytest.param(f"{BASE}/charset=utf8", f"{BASE}?charset=utf8mb4", id="the manual's"),
        pytest.param(f"{BASE}/charset=utf8mb4/", f"{BASE}?charset=utf8mb4", id="slash at the end"),
        pytest.param(f"{BASE}/charset=utf8?x=1", f"{BASE}?charset=utf8mb4&x=1", id="with a query"),
        pytest.param(f"db+{BASE}/charset=utf8", f"db+{BASE}?charset=utf8mb4", id="result backend"),
        pytest.param(f"{BASE}?charset=utf8", None, id="right, utf8"),
        pytest.param(BASE, None, id="right, without"),
        pytest.param(f"{BASE}?unix_socket=/charset=utf8", None, id="in the query"),
    ],
)
def test_charset_mistake(url: str, corrected: str | None) -> None:
    assert charset_mistake(url) == corrected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("mysql://u:p@h/d", "mysql://u:(secret)@h/d", id="plain"),
        pytest.param("mysql://u:a@b:c@h/d", "mysql://u:(secret)@h/d", id="at and colon not quoted"),
        pytest.param("redis://:p@h/0", "redis://:(secret)@h/0", id="no user"),
        pytest.param("sqlite:////tmp/a.db", "sqlite:////tmp/a.db", id="no login"),
    ],
)
def test_masked_url(url: str, shown: str) -> None:
    assert masked_url(url) == shown
