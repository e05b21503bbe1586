"""A day's work by airflow-ops alone and by ansible-playbook alone: both refuse the same and end in the same state."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.settings import REPOSITORY
from lab.two_sides import HOSTS, Sides

HOME = "/usr/hmg/2.2.1.0-552/airflow"
READERS = ("mn02p", "dn01p", "dn02p", "dn03p")
WORKER = "dn01p"
TROUBLE = f"{HOME}/trouble"  # as long as this file is there, the task fails
FILE = "PROC_TEST/day_of_work.py"
DAG = f"""
from datetime import datetime, timezone
from airflow import DAG
from airflow.operators.bash import BashOperator
with DAG(
    "day_of_work", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), is_paused_upon_creation=False
):
    load = BashOperator(
        task_id="load", queue="{WORKER}", bash_command="test ! -e {TROUBLE} && echo {{{{ dag_run.conf['day'] }}}}"
    )
    load >> BashOperator(task_id="report", queue="{WORKER}", bash_command="true")
"""
# What ansible-playbook and airflow-ops end with when a step is refused or ends badly.
FAILED, REFUSED = (2, 2), (2, 5)
FINE = (0, 0)


@dataclass
class Day:
    """One way to do the work; `state` keeps what the terminal shows."""

    sides: Sides
    tree: Path
    state: Path
    by_ops: bool

    def do(self, ops: list[str], playbook: list[str], ends: tuple[int, int] = FINE) -> str:
        """Do one step in this way and return what it said."""
        argv = [str(REPOSITORY / "bin/airflow-ops"), *ops] if self.by_ops else ["ansible-playbook", *playbook]
        both = "sync_meta.yml" in playbook
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            env=self.variables(("prod", "dev") if self.by_ops or both else ("prod",)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        with (self.state / f"{Path(argv[0]).name}.txt").open("a") as log:
            log.write(f"$ {shlex.join([Path(argv[0]).name, *argv[1:]])}\n{done.stdout}$ echo $?\n{done.returncode}\n\n")
        assert done.returncode == ends[self.by_ops], done.stdout
        return " ".join(done.stdout.split())

    def variables(self, environments: tuple[str, ...]) -> dict[str, str]:
        settings = self.sides.prod.settings
        inventories = [
            str(path)
            for name in environments
            for path in (REPOSITORY / "inventories" / name, settings.inventory / f"{name}.yml")
        ]
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_INVENTORY": ",".join(inventories),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(settings.vault_password),
            "AIRFLOW_OPS_STATE": str(self.state),
        }

    def deploy(self, ends: tuple[int, int] = FINE) -> str:
        source = ["-e", f"dag_release_source={self.tree}"]
        return self.do(
            ["-e", "prod", "deploy", "--source", str(self.tree), "--yes"],
            ["deploy_dags.yml", "-l", "datanodes", *source],
            ends,
        )

    def work(self) -> dict[str, Any]:
        """Work through the day and return the state that it leaves."""
        prod = self.sides.prod
        prod.forget_ends()
        self.deploy()
        (self.tree / "broken.py").write_text("from airflow import DAG\nimport none_such\n")
        assert "none_such" in self.deploy(FAILED)
        (self.tree / "broken.py").unlink()
        (self.tree / "NGIOS_UTIL/later.sh").write_text("true\n")
        self.deploy()
        self.do(["-e", "prod", "rollback", "--yes"], ["playbooks/rollback_dags.yml"])
        prod.wait_for_dag("day_of_work")
        run = self.fail_and_clear()
        self.do(
            ["-e", "prod", "restart", "worker", "-l", WORKER, "--yes"],
            ["playbooks/restart.yml", "-l", WORKER, "-e", '{"airflow_services_names": ["worker"]}'],
        )
        hosts = json.dumps({"connection_sync_hosts": HOSTS})
        self.do(
            ["sync-meta", "--var", f"connection_sync_hosts={json.dumps(HOSTS)}", "--yes"],
            ["sync_meta.yml", "-e", hosts],
        )
        self.pause_and_resume()
        self.do(["-e", "prod", "drift"], ["playbooks/drift.yml"])
        return self.left(run)

    def fail_and_clear(self) -> str:
        """Have a run fail, clear the failed task and what follows it, and wait until both have succeeded."""
        prod = self.sides.prod
        prod.ssh(WORKER, f"sudo touch {TROUBLE}")
        conf = {"day": "20260314"}
        values = {"trigger_dag_id": "day_of_work", "trigger_dag_conf": conf, "trigger_dag_wait": True}
        said = self.do(
            ["-e", "prod", "trigger", "day_of_work", "--conf", json.dumps(conf), "--wait", "--yes"],
            ["playbooks/trigger_dag.yml", "-e", json.dumps(values)],
            FAILED,
        )
        assert "Command exited with return code 1" in said  # the end of the task's log
        prod.ssh(WORKER, f"sudo rm {TROUBLE}")
        ((run,),) = prod.sql("select run_id from dag_run where dag_id = 'day_of_work' order by id desc limit 1")
        chosen = {"clear_tasks_dag_id": "day_of_work", "clear_tasks_run_id": run, "clear_tasks_pattern": "load"}
        self.do(
            ["-e", "prod", "clear", "day_of_work", "--run", run, "--task", "load", "--yes"],
            ["playbooks/clear_tasks.yml", "-e", json.dumps({**chosen, "clear_tasks_confirm": True})],
        )
        assert prod.wait([("day_of_work", run)]) == {("day_of_work", run): "success"}
        return run

    def pause_and_resume(self) -> None:
        reason = {"watchdog_pause_reason": "work on the network", "watchdog_pause_minutes": 5}
        self.do(
            ["-e", "prod", "watchdog", "pause", "--reason", "work on the network", "--minutes", "5", "--yes"],
            ["playbooks/watchdog_pause.yml", "-e", json.dumps(reason)],
        )
        assert "work on the network" in self.do(["-e", "prod", "watchdog", "status"], ["playbooks/watchdog_status.yml"])
        self.do(["-e", "prod", "watchdog", "resume", "--yes"], ["playbooks/watchdog_resume.yml"])

    def left(self, run: str) -> dict[str, Any]:
        """Return what the day has left, without what names the moment."""
        prod, dev = self.sides.prod, self.sides.dev
        listing = f"cd {HOME}/dags/ && find . -type f ! -path '*__pycache__*' -exec sha256sum {{}} + | sort | sha256sum"
        return {
            "dags": {host: prod.ssh(host, f'sudo sh -c "{listing}"').stdout for host in READERS},
            "tasks": sorted((task.task, task.state, task.host) for task in prod.tasks(run)),
            "services": {
                host: prod.ssh(host, "systemctl is-active airflow-worker", check=False).stdout for host in READERS
            },
            "connections": self.sides.loaded(dev),
            "pauses": prod.ssh("mn02p", "sudo cat /var/lib/airflow-ops/watchdog/pause.json", check=False).stdout,
        }


@pytest.fixture
def tree(tmp_path: Path, sample_dags: Path) -> Path:
    """Return a copy of the sample tree with the DAG of the day."""
    shutil.copytree(sample_dags, tmp_path / "dags")
    (tmp_path / "dags" / FILE).write_text(DAG)
    return tmp_path / "dags"


def test_both_ways_end_in_the_same_state(sides: Sides, tree: Path, tmp_path: Path) -> None:
    """Their terminals stay in artifacts/, for the documentation."""
    state, left = REPOSITORY / "artifacts/day_of_work", []
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    for by_ops in (False, True):
        own = tmp_path / f"by_ops_{by_ops}"
        shutil.copytree(tree, own)
        sides.seed(20)
        left.append(Day(sides, own, state, by_ops).work())
    assert left[0] == left[1]
    assert left[0]["tasks"] == [("load", "success", WORKER), ("report", "success", WORKER)]
