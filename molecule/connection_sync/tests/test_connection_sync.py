"""Connections as tasks of dev get them after the sync, and what is left on the host."""

from __future__ import annotations

import json

import testinfra

from lab.airflow_cluster import Cluster

CLUSTER = Cluster.named("dev")
HOST = testinfra.get_host("ssh://mn01d", ssh_config=str(CLUSTER.settings.ssh_config), sudo=True)
BACKUPS = "/var/lib/airflow-ops-backups"


def test_connections_came_rewritten_and_what_is_of_dev_stayed() -> None:
    rows = {row["conn_id"]: row for row in json.loads(CLUSTER.airflow("connections", "list", "-o", "json").stdout)}
    assert set(rows) == {"ours", "stage", "dev"}
    assert (rows["ours"]["host"], rows["stage"]["host"], rows["dev"]["host"]) == ("mn01d", "mn01d", "stage-mart")
    assert rows["ours"]["password"] == "dev %@/# 한글"


def test_one_backup_is_kept_and_encrypted() -> None:
    folder = HOST.file(BACKUPS)
    assert (folder.user, folder.mode) == ("root", 0o700)
    (name,) = HOST.check_output(f"ls {BACKUPS}").split()
    backup = HOST.file(f"{BACKUPS}/{name}")
    assert backup.mode == 0o600
    assert backup.content_string.startswith("$ANSIBLE_VAULT")
