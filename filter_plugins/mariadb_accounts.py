"""The accounts of a MariaDB server, from hosts as people write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from ansible.errors import AnsibleFilterError

from airflow_ops.inventory_accounts import DATABASE_ACCOUNTS

DOCUMENTATION = """
  name: mariadb_accounts
  short_description: Turn accounts with hosts and networks into one entry for each account of a MariaDB server
  description:
    - An account of MariaDB is a name at one address or network. A network is written with its netmask there,
      C(10.1.2.0/24) becomes C(10.1.2.0/255.255.255.0). A name becomes the addresses it was resolved to.
    - Fails when a name was not resolved or a network is none, and for an account of the server itself, such as root.
  options:
    _input:
      description: Accounts, each with C(name), C(hosts) (names, addresses or IPv4 networks) and whatever else it has.
      type: list
      elements: dict
      required: true
    answers:
      description:
        - What M(ansible.builtin.getent) found in C(ahostsv4) for each host that is not a network, by the host as it was
          written. Addresses are the keys of an answer; a host that was not found is a key without a value.
      type: dict
      required: true
"""

EXAMPLES = """
accounts: >-
  {{ [{'name': 'kim', 'hosts': ['admin1', '10.1.2.0/24'], 'privileges': 'read_only'}]
     | mariadb_accounts({'admin1': {'10.1.1.5': ['STREAM', 'admin1']}}) }}
# => [{'name': 'kim', 'host': '10.1.1.5', 'privileges': 'read_only'},
#     {'name': 'kim', 'host': '10.1.2.0/255.255.255.0', 'privileges': 'read_only'}]
"""

RETURN = """
  _value:
    description: One entry for each account, with C(host) instead of C(hosts), without repetitions.
    type: list
    elements: dict
"""

WHERE = "see metadata_db_allowed_hosts and metadata_db_clients in group_vars/<env>/metadata_db.yml."
Answer = Mapping[str, list[str] | None]


def account_hosts(host: str, answers: Mapping[str, Answer]) -> list[str]:
    """Return what MariaDB calls the addresses of a host or network."""
    if "/" in host:
        try:
            return [IPv4Network(host).with_netmask]
        except ValueError as error:
            raise AnsibleFilterError(f"{host!r} is not an IPv4 network like 10.1.2.0/24 ({error}); {WHERE}") from error
    addresses = [address for address, found in answers[host].items() if found is not None]
    if not addresses:
        raise AnsibleFilterError(f"The database host cannot resolve {host!r}, which shall log in to it; {WHERE}")
    return addresses


def mariadb_accounts(accounts: Sequence[Mapping[str, Any]], answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """Return one entry per account name and address, in the order given, each once."""
    for name in DATABASE_ACCOUNTS.intersection(str(account["name"]) for account in accounts):
        # Preflight tells it too, but not of a name that follows from facts; root would lose its own accounts.
        raise AnsibleFilterError(
            f"{name!r} is an account of the server itself, name another; "
            "see metadata_db_user and metadata_db_clients in group_vars/<env>/metadata_db.yml."
        )
    found = {
        (account["name"], address): {key: value for key, value in account.items() if key != "hosts"} | {"host": address}
        for account in accounts
        for host in account["hosts"]
        for address in account_hosts(host, answers)
    }
    return list(found.values())


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"mariadb_accounts": mariadb_accounts}
