"""Plugins and other neighbours of a tree on hosts with Airflow; tasks that wait for a worker that nobody has."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster

HOME = "/usr/hmg/2.2.1.0-552/airflow"
SERVICES = {
    "mn02p": ("scheduler", "webserver", "triggerer"),
    "dn01p": ("worker",),
    "dn02p": ("worker",),
    "dn03p": ("worker",),
}
PLUGIN = """\
from airflow.plugins_manager import AirflowPlugin


def word():
    return "{word}"


class WordPlugin(AirflowPlugin):
    name = "words"
    macros = [word]
"""
# It reads its command from beside the dags folder while it is loaded, and a word from the plugin while it runs.
DAG = """\
import os
from pathlib import Path

import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator

COMMAND = (Path(__file__).parent.parent / "include" / "command.txt").read_text().strip()
BESIDE = os.path.join(os.path.dirname(__file__), "..", "include")

with DAG("words", start_date=pendulum.datetime(2024, 1, 1), schedule=None, template_searchpath=[BESIDE]):
    BashOperator(task_id="say", bash_command=COMMAND)

with DAG("long", start_date=pendulum.datetime(2024, 1, 1), schedule=None, template_searchpath=[BESIDE]):
    BashOperator(task_id="long", bash_command="long.sh")
"""
DEAF = """\
import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("deaf", start_date=pendulum.datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):
    BashOperator(task_id="say", bash_command="true", queue="spark_heavy")
"""


@pytest.fixture(scope="module")
def tree(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, sample_dags: Path) -> Iterator[Path]:
    """Return a copy of the sample tree with a DAG that needs what lies beside it; afterwards nothing lies there."""
    tree = tmp_path_factory.mktemp("plugins") / "dags"
    shutil.copytree(sample_dags, tree)
    (tree / "words.py").write_text(DAG)
    for name in ("plugins", "include"):
        tree.with_name(name).mkdir()
    (tree.with_name("plugins") / "words.py").write_text(PLUGIN.format(word="first"))
    (tree.with_name("include") / "command.txt").write_text("echo the word is {{ macros.words.word() }}\n")
    wait = f"touch {HOME}/long_has_begun; until [ -e {HOME}/long_may_end ]; do sleep 0.2; done\n"
    (tree.with_name("include") / "long.sh").write_text(wait)
    yield tree
    everywhere(cluster, f"sudo rm -f {HOME}/long_*")
    cluster.playbook("deploy_dags.yml")
    everywhere(cluster, f"sudo rm -f {HOME}/plugins {HOME}/include")


def everywhere(cluster: Cluster, command: str) -> dict[str, str]:
    return {host: cluster.ssh(host, command).stdout for host in SERVICES}


def deploy(cluster: Cluster, tree: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    order = ("-e", f'{{"dag_release_source": "{tree}", "dag_release_neighbours": ["include"]}}')
    return cluster.playbook("deploy_dags.yml", "-l", "datanodes", *order, *args, check=check)


def words(run: subprocess.CompletedProcess[str]) -> str:
    return " ".join((run.stdout + run.stderr).split())


def processes(cluster: Cluster) -> dict[str, str]:
    """Return the main processes of the services by host."""
    units = {host: " ".join(f"airflow-{name}" for name in names) for host, names in SERVICES.items()}
    return {
        host: cluster.ssh(host, f"systemctl show --property=MainPID --value {names}").stdout
        for host, names in units.items()
    }


def said(cluster: Cluster, run: str) -> str:
    """Run the DAG's task on a worker and return its log, which the worker serves."""
    cluster.trigger(("words", run, {}))
    query = f"select hostname from task_instance where run_id = '{run}' and task_id = 'say' and state = 'success'"
    until = time.monotonic() + 120  # seconds
    while not (hosts := cluster.sql(query)):
        assert time.monotonic() < until
        time.sleep(0.5)
    return cluster.ssh(
        hosts[0][0], f"sudo sh -c 'cat /var/log/airflow/dag_id=words/run_id={run}/task_id=say/*.log'"
    ).stdout


def test_plugins_and_neighbours_go_live_with_the_dags_and_what_reads_them_restarts(
    cluster: Cluster, tree: Path
) -> None:
    before = processes(cluster)
    preview = deploy(cluster, tree, "--check", "--diff")
    assert "The plugins change on dn01p, dn02p, dn03p, mn02p: the services restart there" in words(preview)
    assert "+ .neighbours/plugins/words.py" in preview.stdout
    assert processes(cluster) == before
    run = deploy(cluster, tree)
    assert "Above the tree, include comes with the release: words.py:9 (../include), words.py:8 (../inc" in words(run)
    after = processes(cluster)
    for host, names in SERVICES.items():
        assert not set(before[host].split()) & set(after[host].split()), (host, names)
    assert set(everywhere(cluster, f"sudo cat {HOME}/plugins/words.py").values()) == {PLUGIN.format(word="first")}
    cluster.wait_for_dag("words")
    assert "the word is first" in said(cluster, "first")
    assert deploy(cluster, tree).returncode == 0
    (tree / "words.py").write_text(f"{DAG}# another DAG file, the same plugins\n")
    everywhere(cluster, f"sudo touch {HOME}/airflow.cfg")  # what nobody meant to activate
    assert "The plugins change" not in words(deploy(cluster, tree))
    assert processes(cluster) == after


def test_a_task_that_runs_ends_before_its_worker_restarts(cluster: Cluster, tree: Path) -> None:
    everywhere(cluster, f"sudo rm -f {HOME}/long_*")
    cluster.trigger(("long", "long", {}))
    workers = [host for host in SERVICES if host != "mn02p"]
    begun: list[str] = []
    while not begun:
        begun = [
            host for host in workers if not cluster.ssh(host, f"sudo ls {HOME}/long_has_begun", check=False).returncode
        ]
    (tree.with_name("plugins") / "words.py").write_text(PLUGIN.format(word="second"))
    before = processes(cluster)[begun[0]]
    run = deploy(cluster, tree, "-e", "airflow_services_drain_timeout=5", check=False)
    assert run.returncode != 0
    assert f"The worker of {begun[0]} was left as it is" in words(run)
    assert processes(cluster)[begun[0]] == before
    cluster.ssh(begun[0], f"sudo -u airflow touch {HOME}/long_may_end")
    assert cluster.wait([("long", "long")]) == {("long", "long"): "success"}
    deploy(cluster, tree)  # the repeat heals it
    assert processes(cluster)[begun[0]] != before


def test_a_plugin_that_airflow_cannot_load_never_goes_live(cluster: Cluster, tree: Path) -> None:
    before, broken = processes(cluster), tree.with_name("plugins") / "broken.py"
    broken.write_text("import none_such\n")
    try:
        run = deploy(cluster, tree, check=False)
        assert run.returncode != 0
        assert "cannot load" in words(run)
        assert ".neighbours/plugins/broken.py: No module named 'none_such'; nothing was changed" in words(run)
        assert processes(cluster) == before
    finally:
        broken.unlink()


def test_a_way_back_brings_the_plugins_back_and_restarts_too(cluster: Cluster, tree: Path) -> None:
    before = processes(cluster)
    (tree.with_name("plugins") / "words.py").write_text(PLUGIN.format(word="third"))
    deploy(cluster, tree)
    cluster.playbook("playbooks/rollback_dags.yml")
    assert set(everywhere(cluster, f"sudo cat {HOME}/plugins/words.py").values()) == {PLUGIN.format(word="second")}
    assert not set(processes(cluster)["mn02p"].split()) & set(before["mn02p"].split())
    deploy(cluster, tree)


def test_a_plugin_on_one_host_only_is_drift(cluster: Cluster, tree: Path) -> None:
    cluster.ssh("dn02p", f"echo '# by hand' | sudo -u airflow tee {HOME}/plugins/own.py")
    run = cluster.playbook("playbooks/drift.yml", check=False)
    assert run.returncode != 0
    assert "dn02p, plugins: own.py is not on mn02p" in words(run)
    deploy(cluster, tree, "-e", "dag_release_unmanaged=drop")


def test_a_queue_that_no_worker_listens_to_is_named_everywhere(cluster: Cluster, tree: Path) -> None:
    (tree / "deaf.py").write_text(DEAF)
    run = deploy(cluster, tree)
    assert "No worker listens to queue spark_heavy, so what needs it stays queued: deaf.say" in words(run)
    cluster.wait_for_dag("deaf")
    order = ("-e", "trigger_dag_id=deaf", "-e", "trigger_dag_wait=true", "-e", "trigger_dag_wait_timeout=15")
    waited = words(cluster.playbook("playbooks/trigger_dag.yml", *order, check=False))
    assert "say queued: no worker listens to queue spark_heavy (those that answer: dn01p to default, dn01p" in waited
    status = words(cluster.playbook("playbooks/status.yml"))
    assert "Warning: deaf.say queued: no worker listens to queue spark_heavy" in status
    assert (
        "Warning: no worker listens to queue spark_heavy (airflow_worker_queues), which these name: deaf.say" in status
    )
    (tree / "deaf.py").unlink()
    deploy(cluster, tree)
    cluster.airflow("dags", "delete", "--yes", "deaf")
