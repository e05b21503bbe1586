"""What the action decides before it touches a host."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from action_plugins.connection_sync import ActionModule, seal_with
from airflow_ops.connection_sync.model import SyncError


def action(play_hosts: list[str], active: str = "") -> ActionModule:
    """Return the action in a run of these hosts, with an active scheduler named in the inventory of prod."""
    made = ActionModule.__new__(ActionModule)
    groups = {"airflow_scheduler": ["mn01p", "mn02p", "mn01d"], "prod": ["mn01p", "mn02p"], "dev": ["mn01d"]}
    variables = {"airflow_active_scheduler": active} if active else {}
    hostvars = {host: variables if host in groups["prod"] else {} for host in groups["airflow_scheduler"]}
    made.vars = {"groups": groups, "hostvars": hostvars, "ansible_play_hosts": play_hosts}
    return made


ALL = ["mn01p", "mn02p", "mn01d"]


@pytest.mark.parametrize(
    ("environment", "active", "host"),
    [
        pytest.param("dev", "", "mn01d", id="the only one"),
        pytest.param("prod", "mn01p", "mn01p", id="the first is active"),
        pytest.param("prod", "mn02p", "mn02p", id="after a failover"),
    ],
)
def test_the_active_scheduler_speaks_for_its_environment(environment: str, active: str, host: str) -> None:
    assert action(ALL, active)._demand_host(environment) == host


def test_a_run_without_the_active_scheduler_is_refused() -> None:
    with pytest.raises(SyncError, match="leaves out mn02p of prod"):
        action(["mn01p", "mn01d"], "mn02p")._demand_host("prod")


PROD, DEV, DEFAULT = (("prod", VaultSecret(b"p")), ("dev", VaultSecret(b"d")), ("default", VaultSecret(b"x")))


@pytest.mark.parametrize(
    ("secrets", "chosen"),
    [
        pytest.param([PROD, DEV], DEV, id="one for each side"),
        pytest.param([PROD, DEFAULT], DEFAULT, id="the one without a name"),
        pytest.param([DEFAULT], DEFAULT, id="one for both"),
        pytest.param([PROD], PROD, id="the only one"),
        pytest.param([DEV, ("dev", VaultSecret(b"other"))], DEV, id="the first of a name"),
    ],
)
def test_a_backup_is_sealed_with_the_password_of_the_target(secrets: list[Any], chosen: tuple[str, Any]) -> None:
    assert seal_with(secrets, "dev") == chosen


def test_several_passwords_without_the_target_are_refused() -> None:
    with pytest.raises(SyncError, match="vault ids prod, stage; nothing was changed, name it with --vault-id dev@FILE"):
        seal_with([PROD, ("stage", VaultSecret(b"s"))], "dev")


def test_a_sealed_backup_opens_with_the_password_of_the_target_alone() -> None:
    sealing = action(ALL)
    sealing._loader = type("Loader", (), {"_vault": VaultLib([PROD, DEV])})()
    sealing.args = {"target": "dev"}
    sealed = sealing._seal("text")
    assert sealed.splitlines()[0] == "$ANSIBLE_VAULT;1.2;AES256;dev"
    assert VaultLib([DEV]).decrypt(sealed) == b"text"
