"""airflow-ops as the tests type it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY

DONE = 0


class Ops:
    """airflow-ops as an admin types it, in an environment of the lab."""

    def __init__(self, cluster: Cluster, state: Path) -> None:
        inventories = REPOSITORY / "inventories" / cluster.environment, cluster.settings.inventory
        self.environment = cluster.environment
        self.variables = {
            **os.environ,
            "AIRFLOW_OPS_STATE": str(state),
            "ANSIBLE_INVENTORY": f"{inventories[0]},{inventories[1]}/{cluster.environment}.yml",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(cluster.settings.vault_password),
        }

    def __call__(self, *line: str, code: int = DONE) -> dict[str, Any]:
        """Run a command and return its JSON."""
        argv = [str(REPOSITORY / "bin/airflow-ops"), "-e", self.environment, *line, "--json"]
        done = subprocess.run(
            argv, env=self.variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found
