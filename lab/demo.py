"""make demo: a cluster on this machine from nothing, DAGs that run on its data nodes, and a summary to read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airflow_ops.example_dags import extract
from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY as ROOT

HOSTS = ("mn01p", "mn02p", "dn01p", "dn02p", "dn03p")
LOGS = ROOT / "artifacts" / "demo"
RUNS = ("airflow_ops_check", "example_bash_operator", "example_dynamic_task_mapping")
console = Console(highlight=False)


class StepFailed(Exception):
    """A step that failed, with the log to read."""


def run_step(title: str, command: Sequence[str]) -> None:
    """Run a command with its output in a log; plays and tasks are shown as they pass."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log, start = LOGS / f"{title.replace(' ', '_')}.log", time.monotonic()
    console.print(f"[bold]{title}[/]  ({shlex.join(command)})")
    with log.open("w") as stream, console.status("starting") as status:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
        )
        for line in process.stdout or ():
            stream.write(line)
            if line.startswith("PLAY [") and not line.startswith("PLAY [Refuse"):
                console.print(f"  {time.monotonic() - start:5.0f} s  {line.split(']')[0][6:]}")
            elif line.startswith(("TASK [", "lab:", "wheelhouse:")):
                status.update(line.strip(" *\n")[:100])
    if process.wait():
        raise StepFailed(f"{title} failed after {time.monotonic() - start:.0f} s; read {log.relative_to(ROOT)}")
    console.print(f"  {time.monotonic() - start:5.0f} s  done")


def tree_with_examples(folder: Path) -> Path:
    """Copy the sample tree and Airflow's own example DAGs beside each other into a folder."""
    tree = folder / "dags"
    shutil.copytree(ROOT / "dags", tree)
    extract(tree / "airflow_examples")
    return tree


def run_dags(cluster: Cluster) -> str:
    """Trigger the DAGs of the demo, wait for them and return their run id."""
    run = f"demo-{datetime.now(timezone.utc):%Y%m%dT%H%M%S}"
    console.print(f"[bold]run {', '.join(RUNS)}[/]")
    with console.status("waiting for the scheduler to know the DAGs"):
        for dag in RUNS:
            cluster.wait_for_dag(dag)
        cluster.trigger(*((dag, run, {}) for dag in RUNS))
    with console.status("waiting for the runs"):
        states = cluster.wait([(dag, run) for dag in RUNS])
    bad = [f"{dag} is {state}" for (dag, _), state in states.items() if state != "success"]
    if bad:
        raise StepFailed(f"{', '.join(bad)}; look at the web UI, or at /var/log/airflow on mn02p and the data nodes")
    return run


def summary(cluster: Cluster, run: str, seconds: float) -> None:
    """Print what stands now, and what to try next."""
    tasks = Table(title="Where the tasks ran")
    for heading in ("DAG", "task", "state", "host"):
        tasks.add_column(heading)
    for row in cluster.tasks(run):
        name = row.task if row.map_index < 0 else f"{row.task}[{row.map_index}]"
        tasks.add_row(row.dag, name, row.state, row.host)
    console.print(tasks)
    version = cluster.airflow("version").stdout.splitlines()[-1]
    release = cluster.ssh("mn02p", "sudo readlink /usr/hmg/2.2.1.0-552/airflow/dags").stdout.strip().rsplit("/", 1)[-1]
    database = cluster.sql("select version()")[0][0]
    vault = os.path.relpath(cluster.settings.inventory / "group_vars/prod/vault.yml", ROOT)
    address = cluster.ssh("mn02p", "hostname -I").stdout.split()[0]
    console.print(
        f"""
[bold]Hosts[/]     {", ".join(HOSTS)} (addresses: lab list)
[bold]Versions[/]  Airflow {version}, MariaDB {database}
[bold]Release[/]   {release}, live on all hosts
[bold]Web UI[/]    http://{address}:8080, user admin, password in the vault
[bold]Try next[/]  . lab/activate prod
          ansible-vault view {vault}
          ansible-playbook playbooks/status.yml
          ansible-playbook deploy_dags.yml -l datanodes --check --diff
          ansible-playbook playbooks/check.yml
          lab ssh mn02p -- sudo -iu airflow airflow dags list
          make clean-lab
The demo took {seconds:.0f} s.""",
        soft_wrap=True,
    )


def main() -> int:
    """Run the demo; returns the exit code."""
    start, cluster = time.monotonic(), Cluster.named("prod")
    deploy = ["ansible-playbook", "deploy_dags.yml", "-l", "datanodes", "-e"]
    steps: list[Callable[[], None]] = [
        lambda: run_step("boot the lab", ["lab", "up", *HOSTS]),
        lambda: run_step("set up mail and file servers", ["ansible-playbook", "lab/services/services.yml"]),
        lambda: run_step("build the cluster", ["ansible-playbook", "site.yml"]),
    ]
    try:
        for step in steps:
            step()
        with tempfile.TemporaryDirectory(prefix="demo-") as folder:
            tree = tree_with_examples(Path(folder))
            run_step("distribute the DAGs", [*deploy, f"dag_release_source={tree}"])
        summary(cluster, run_dags(cluster), time.monotonic() - start)
    except (StepFailed, TimeoutError) as error:
        console.print(f"[bold red]{error}.[/]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
