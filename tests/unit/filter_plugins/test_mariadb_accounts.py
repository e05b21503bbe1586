"""The accounts of a MariaDB server, from hosts as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from filter_plugins.mariadb_accounts import mariadb_accounts

ANSWERS: dict[str, dict[str, list[str] | None]] = {
    "mn02p": {"10.1.1.2": ["STREAM", "mn02p"]},
    "both": {"10.1.1.3": ["STREAM", "both"], "10.1.1.4": ["STREAM", "both"]},
    "10.1.1.2": {"10.1.1.2": ["STREAM", "10.1.1.2"]},
    "nowhere": {"nowhere": None},
}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        pytest.param([], [], id="no-hosts-no-account"),
        pytest.param(["mn02p"], ["10.1.1.2"], id="name"),
        pytest.param(["both"], ["10.1.1.3", "10.1.1.4"], id="name-with-two-addresses"),
        pytest.param(["mn02p", "10.1.1.2"], ["10.1.1.2"], id="same-address-twice"),
        pytest.param(["10.1.2.0/24"], ["10.1.2.0/255.255.255.0"], id="network"),
        pytest.param(["10.1.2.0/255.255.254.0"], ["10.1.2.0/255.255.254.0"], id="netmask"),
    ],
)
def test_hosts(hosts: list[str], expected: list[str]) -> None:
    accounts = mariadb_accounts([{"name": "kim", "hosts": hosts, "privileges": "read_only"}], ANSWERS)
    assert accounts == [{"name": "kim", "host": host, "privileges": "read_only"} for host in expected]


@pytest.mark.parametrize("hosts", [[], ["mn02p"]], ids=["no hosts", "hosts"])
@pytest.mark.parametrize("name", ["root", "mysql", "mariadb.sys", "debian-sys-maint"])
def test_accounts_of_the_server_are_refused(name: str, hosts: list[str]) -> None:
    with pytest.raises(AnsibleFilterError, match=f"'{name}' is an account of the server itself"):
        mariadb_accounts([{"name": "kim", "hosts": []}, {"name": name, "hosts": hosts}], ANSWERS)


def test_names_share_an_address() -> None:
    declared: list[dict[str, Any]] = [{"name": "airflow", "hosts": ["mn02p"]}, {"name": "kim", "hosts": ["mn02p"]}]
    assert [account["name"] for account in mariadb_accounts(declared, ANSWERS)] == ["airflow", "kim"]


@pytest.mark.parametrize(
    ("host", "message"),
    [
        pytest.param("nowhere", "cannot resolve 'nowhere'", id="unknown-name"),
        pytest.param("10.1.2.7/24", "'10.1.2.7/24' is not an IPv4 network.*host bits", id="host-bits"),
        pytest.param("fd00::/8", "'fd00::/8' is not an IPv4 network", id="ipv6"),
    ],
)
def test_refused(host: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        mariadb_accounts([{"name": "kim", "hosts": [host]}], ANSWERS)
