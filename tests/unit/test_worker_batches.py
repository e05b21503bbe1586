"""What a drain found in one batch of workers is still known after the batches that follow it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ROLE = REPOSITORY / "roles/airflow_services"
# Answers as the worker of dn01p that has a long task; that of dn02p is free.
DRAIN = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        busy = ["MAIN_DAG.load of run 1"] if task_vars["inventory_hostname"] == "dn01p" else []
        return {"answers": True, "busy": busy}
"""
VALUES = {
    "airflow_services_drain": True,
    "airflow_services_drain_force": False,
    "airflow_services_drain_timeout": 1,
    "airflow_home": "/airflow",
    "airflow_user": "airflow",
    "airflow_environment_file": "/airflow.env",
    "airflow_queues": ["default"],
    "airflow_earlier_passwords": [],
    "__airflow_services_state": {"services": {"worker": {"state": "active"}}},
}


def test_a_busy_worker_of_an_earlier_batch_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\naction_plugins = {tmp_path}\n")
    (tmp_path / "airflow_worker_drain.py").write_text(DRAIN)
    tasks = [
        {
            "include_tasks": {
                "file": str(ROLE / "tasks/drain.yml"),
                "apply": {"when": "inventory_hostname in __airflow_services_batch"},
            },
            "loop": [["dn01p"], ["dn02p"]],
            "loop_control": {"loop_var": "__airflow_services_batch"},
        },
        {"import_tasks": str(ROLE / "tasks/drained.yml")},
    ]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars_files": str(ROLE / "vars/main.yml"),
        "vars": VALUES,
        "tasks": tasks,
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", "dn01p,dn02p,", "-c", "local", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The worker of dn01p was left as it is" in " ".join(done.stdout.split())
    assert "The worker of dn02p" not in done.stdout
