"""What the action decides before it touches a host."""

from __future__ import annotations

import pytest

from action_plugins.connection_sync import ActionModule
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
