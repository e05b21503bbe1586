"""Delivery of the DAG tree, as typed: all hosts or none, owned airflow:hadoop, undone when a host fails."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY as ROOT
from tests.integration.recap import changed_by_host

HOSTS = ("mn02p", "dn01p", "dn02p", "dn03p")
HOME = "/usr/hmg/2.2.1.0-552/airflow"
NEW_DAG = """
import pendulum
from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("brand_new", start_date=pendulum.datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):
    BashOperator(task_id="hello", bash_command="hostname")
"""
CYCLE = """
import pendulum
from airflow import DAG
from airflow.operators.empty import EmptyOperator

with DAG("in_a_circle", start_date=pendulum.datetime(2024, 1, 1), schedule=None):
    first = EmptyOperator(task_id="first")
    first >> EmptyOperator(task_id="second") >> first
"""
# A task that has begun before a switch, and imports a module of the tree after it.
LATE_IMPORT = f"""
import time
from pathlib import Path

import pendulum
from airflow import DAG
from airflow.operators.python import PythonOperator


def through_a_switch():
    until = time.monotonic() + 120
    Path("{HOME}/task_has_begun").touch()
    while not Path("{HOME}/switch_is_done").exists():
        assert time.monotonic() < until
        time.sleep(0.2)
    from late_module import VALUE
    assert VALUE == "new", VALUE


with DAG("late_import", start_date=pendulum.datetime(2024, 1, 1), schedule=None, is_paused_upon_creation=False):
    PythonOperator(task_id="late", python_callable=through_a_switch)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample tree that the tests may change."""
    folder = tmp_path_factory.mktemp("source") / "dags"
    shutil.copytree(ROOT / "dags", folder, symlinks=True)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _leave_the_sample_tree(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


def deploy(cluster: Cluster, tree: Path, *args: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return cluster.playbook(
        "deploy_dags.yml", "-e", f"dag_release_source={tree}", *(args or ("-l", "datanodes")), check=check
    )


def words(run: "subprocess.CompletedProcess[str]") -> str:
    """Return what a run said, in one line."""
    return " ".join((run.stdout + run.stderr).split())


def live(cluster: Cluster) -> dict[str, str]:
    return {host: cluster.ssh(host, f"sudo readlink {HOME}/dags", check=False).stdout.strip() for host in HOSTS}


def test_the_preview_of_a_first_delivery_changes_nothing(cluster: Cluster, tree: Path) -> None:
    run = deploy(cluster, tree, "-l", "datanodes", "--check", "--diff")
    assert "+ MAIN_DAG.py" in run.stdout
    assert set(live(cluster).values()) == {""}


def test_as_typed_it_reaches_all_data_nodes_and_the_scheduler(cluster: Cluster, tree: Path) -> None:
    deploy(cluster, tree)
    (release,) = set(live(cluster).values())
    assert release.startswith(f"{HOME}/dag_releases/")


@pytest.mark.parametrize("host", HOSTS)
def test_everything_is_owned_by_airflow_and_hadoop(cluster: Cluster, host: str) -> None:
    wrong = cluster.ssh(host, f"sudo find {HOME}/dags/ '!' '(' -user airflow -group hadoop ')'").stdout
    assert wrong == ""
    modes = cluster.ssh(
        host, f"cd /; sudo find {HOME}/dags/ -name __pycache__ -prune -o -type f -printf '%m\\n'"
    ).stdout
    assert set(modes.split()) == {"640", "750"}


def test_a_second_delivery_has_nothing_to_do(cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    run = deploy(cluster, tree)
    assert not any(changed_by_host(run).values())
    assert live(cluster) == before


def test_a_new_dag_is_scheduled_and_runs_on_a_data_node(cluster: Cluster, tree: Path) -> None:
    (tree / "PROC_TEST" / "brand_new.py").write_text(NEW_DAG)
    deploy(cluster, tree)
    cluster.wait_for_dag("brand_new")
    cluster.trigger(("brand_new", "first", {}))
    assert cluster.wait([("brand_new", "first")]) == {("brand_new", "first"): "success"}
    (row,) = [row for row in cluster.tasks("first") if row.dag == "brand_new"]
    assert row.host in ("dn01p", "dn02p", "dn03p")


def test_a_running_task_ends_well_and_imports_from_the_new_release(cluster: Cluster, tree: Path) -> None:
    (tree / "late_module.py").write_text("VALUE = 'old'\n")
    (tree / "PROC_TEST" / "late_import.py").write_text(LATE_IMPORT)
    deploy(cluster, tree)
    cluster.wait_for_dag("late_import")
    cluster.trigger(("late_import", "through", {}))
    until = time.monotonic() + 60  # seconds
    workers = [host for host in HOSTS if host.startswith("dn")]
    while all(cluster.ssh(host, f"sudo ls {HOME}/task_has_begun", check=False).returncode for host in workers):
        assert time.monotonic() < until
    (tree / "late_module.py").write_text("VALUE = 'new'\n")
    deploy(cluster, tree)
    for host in workers:
        cluster.ssh(host, f"sudo touch {HOME}/switch_is_done")
    ended = cluster.wait([("late_import", "through")])
    for host in workers:
        cluster.ssh(host, f"sudo rm -f {HOME}/switch_is_done {HOME}/task_has_begun")
    assert ended == {("late_import", "through"): "success"}
    (tree / "PROC_TEST" / "late_import.py").unlink()
    (tree / "late_module.py").unlink()
    assert "late_module" in words(deploy(cluster, tree))  # a task that imports it late would fail: said beforehand


def test_a_bad_tree_is_refused_with_every_finding(cluster: Cluster, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "bad")
    (tmp_path / "bad/broken.py").write_text("from airflow import DAG\ndef f(:\n")
    (tmp_path / "bad/loop").symlink_to(".")
    before = live(cluster)
    run = deploy(cluster, tmp_path / "bad", check=False)
    assert run.returncode != 0
    assert "broken.py:2 does not compile" in words(run)
    assert "loop is a link to a folder in which it lies itself (to .)" in words(run)
    assert live(cluster) == before


def test_a_host_that_is_cut_off_stops_the_run_and_is_healed_by_the_repeat(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text("true\n")
    before = live(cluster)
    subprocess.run(["lab", "cut", "dn02p"], check=True)
    try:
        run = deploy(cluster, tree, check=False)
    finally:
        subprocess.run(["lab", "heal", "dn02p"], check=True)
    assert run.returncode != 0
    assert "dn02p could not be reached" in words(run)
    assert live(cluster) == before
    deploy(cluster, tree)
    assert len(set(live(cluster).values())) == 1
    assert live(cluster) != before


def test_a_host_that_fails_while_switching_puts_all_back(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text("false\n")
    before = live(cluster)
    obstacle = f"{HOME}/.dags.new"
    cluster.ssh("mn02p", f"sudo mkdir -p {obstacle}/x")
    run = deploy(cluster, tree, check=False)
    cluster.ssh("mn02p", f"sudo rm -r {obstacle}")
    assert run.returncode != 0
    assert "mn02p failed" in words(run)
    assert "every host is back on what it had" in words(run)
    assert live(cluster) == before
    deploy(cluster, tree)
    assert len(set(live(cluster).values())) == 1


def test_an_edit_on_a_host_is_found_and_levelled_by_a_new_release(cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    cluster.ssh("dn01p", f"echo edited | sudo tee -a {HOME}/dags/later.sh")
    deploy(cluster, tree)
    after = live(cluster)
    assert len(set(after.values())) == 1
    assert after != before
    kept = cluster.ssh("dn01p", f"sudo sh -c 'cat {before['dn01p']}.kept/later.sh~*'").stdout
    assert "edited" in kept
    assert "edited" not in cluster.ssh("dn01p", f"sudo cat {HOME}/dags/later.sh").stdout


def test_a_narrower_limit_names_who_differs(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text(f"echo {time.time()}\n")
    run = deploy(cluster, tree, "-l", "dn01p")
    assert "The limit leaves out dn02p, dn03p" in words(run)
    deploy(cluster, tree)
    assert len(set(live(cluster).values())) == 1


def test_the_live_release_and_the_one_before_survive_pruning(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text("true\n")
    before = live(cluster)
    deploy(cluster, tree, "-l", "datanodes", "-e", "dag_release_keep=1", "-e", "dag_release_min_age=0")
    for host in HOSTS:
        left = cluster.ssh(host, f"sudo sh -c 'ls -d {HOME}/dag_releases/*Z-????????????/'").stdout.split()
        assert sorted(left) == sorted([f"{before[host]}/", f"{live(cluster)[host]}/"])


def test_one_file_goes_on_top_of_what_is_live(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text("one file\n")
    (tree / "not_this_one.sh").write_text("")
    deploy(cluster, tree, "-l", "datanodes", "-e", '{"dag_release_files": ["later.sh"]}')
    assert len(set(live(cluster).values())) == 1
    assert cluster.ssh("dn02p", f"sudo cat {HOME}/dags/later.sh").stdout == "one file\n"
    assert cluster.ssh("dn02p", f"sudo ls {HOME}/dags/not_this_one.sh", check=False).returncode != 0


def test_the_way_back_and_forth(cluster: Cluster, tree: Path) -> None:
    deploy(cluster, tree)
    now = live(cluster)
    cluster.playbook("playbooks/rollback_dags.yml")
    (before,) = set(live(cluster).values())
    assert before < now["dn01p"]
    cluster.playbook("playbooks/rollback_dags.yml", "-e", f"dag_release_id={now['dn01p'].rpartition('/')[2]}")
    assert live(cluster) == now
    listed = cluster.playbook("playbooks/dag_releases.yml").stdout
    assert all(f"{host}  *     {now['dn01p'].rpartition('/')[2]}" in listed for host in HOSTS)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("from airflow import DAG\nimport none_such\n", ["bad.py: line 2: ModuleNotFoundError"]),
        (NEW_DAG, ["brand_new", "bad.py", "brand_new.py"]),
        (CYCLE, ["bad.py: ", "Cycle detected in DAG"]),
    ],
    ids=["missing package", "duplicate dag_id", "cycle"],
)
def test_what_airflow_cannot_load_goes_live_nowhere(
    cluster: Cluster, tree: Path, tmp_path: Path, text: str, sentences: list[str]
) -> None:
    shutil.copytree(tree, tmp_path / "bad")
    (tmp_path / "bad/bad.py").write_text(text)
    before = live(cluster)
    run = deploy(cluster, tmp_path / "bad", check=False)
    assert run.returncode != 0
    assert [sentence for sentence in sentences if sentence not in words(run)] == []
    assert live(cluster) == before


def test_a_package_that_only_a_worker_lacks_is_found(cluster: Cluster, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "bad")
    (tmp_path / "bad/bad.py").write_text("from airflow import DAG\nimport only_here\n")
    packages = f"{HOME}/venv/lib/python3.11/site-packages/only_here.py"
    cluster.ssh("mn02p", f"sudo touch {packages}")
    try:
        run = deploy(cluster, tmp_path / "bad", check=False)
    finally:
        cluster.ssh("mn02p", f"sudo rm {packages}")
    assert "bad.py on dn01p: line 2: ModuleNotFoundError" in words(run)
    assert "bad.py on mn02p" not in words(run)


def test_a_worker_that_missed_a_release_is_in_quarantine_until_it_is_level(cluster: Cluster, tree: Path) -> None:
    (tree / "later.sh").write_text("while one was away\n")
    subprocess.run(["lab", "cut", "dn03p"], check=True)
    try:
        run = deploy(cluster, tree, "-l", "datanodes", "-e", '{"dag_release_allow_missing": true}')
    finally:
        subprocess.run(["lab", "heal", "dn03p"], check=True)
    assert "dn03p is behind" in words(run)
    assert len(set(live(cluster).values())) == 2
    (tree / "broken.py").write_text("from airflow import DAG\nimport none_such\n")
    deploy(cluster, tree, check=False)  # fails, and has seen dn03p
    assert cluster.ssh("dn03p", "sudo systemctl start airflow-worker", check=False).returncode != 0
    active = cluster.ssh("dn03p", "systemctl is-active airflow-worker", check=False).stdout
    assert active != "active\n"
    (tree / "broken.py").unlink()
    deploy(cluster, tree)
    assert len(set(live(cluster).values())) == 1
    until = time.monotonic() + 60  # seconds; what the quarantine has stopped may still be stopping, then it starts
    while cluster.ssh("dn03p", "systemctl is-active airflow-worker", check=False).stdout != "active\n":
        assert time.monotonic() < until
        time.sleep(1)


def test_a_folder_with_hand_copied_files_becomes_a_release(cluster: Cluster, tree: Path) -> None:
    plain = f"cd {HOME} && cp -rL dags plain && rm dags && mv plain dags && echo OWN = 1 > dags/own.py"
    cluster.ssh("dn01p", f"sudo -u airflow sh -c {plain!r}")
    run = deploy(cluster, tree)
    assert "dn01p: files that the source lacks are carried into the new release, 1: own.py." in words(run)
    assert len(set(live(cluster).values())) == 1
    assert cluster.ssh("dn01p", f"sudo cat {HOME}/dags/own.py").stdout == "OWN = 1\n"
    listed = cluster.playbook("playbooks/dag_releases.yml").stdout
    assert re.search(r"dn01p .* adopted ", listed)
