"""What the options of a delivery do on hosts, and sources and hosts that are out of the ordinary."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from bench.measure import crossed
from lab.plain_cluster import HOME, environment
from lab.settings import REPOSITORY
from tests.faults.dag_release.fleet import Fleet
from tests.faults.dag_release.source import NEIGHBOUR

VICTIM = "x03"
BIG = 200 << 20  # bytes
REFUSED = 5  # exit code of ss


def everywhere(fleet: Fleet, command: str) -> set[str]:
    """Return what a command prints on the hosts, where each difference shows."""
    return set(fleet.cluster.everywhere(command).values())


def test_a_file_of_200_megabytes(fleet: Fleet) -> None:
    big = fleet.tree / "models/big.bin"
    big.parent.mkdir(exist_ok=True)
    with big.open("wb") as file:
        for _ in range(BIG >> 20):
            file.write(os.urandom(1 << 20))
    try:
        fleet.deliver_well()
        (digest,) = everywhere(fleet, f"sudo sha256sum {HOME}/dags/models/big.bin | cut -c1-64")
        own = subprocess.run(["sha256sum", big], capture_output=True, text=True, check=True).stdout
        assert digest.strip() == own[:64]
    finally:
        big.unlink()
    fleet.deliver_well()
    fleet.cluster.everywhere(f"sudo sh -c 'rm -rf {HOME}/dag_releases/*.kept'")


def test_a_renamed_file_does_not_travel(fleet: Fleet) -> None:
    fleet.deliver_well()
    before = crossed(fleet.cluster.settings.bridge)
    payload = (fleet.tree / "z_payload.bin").rename(fleet.tree / "PROC_0/renamed.bin")
    try:
        fleet.deliver_well()
        assert crossed(fleet.cluster.settings.bridge) - before < payload.stat().st_size / 2
        assert everywhere(fleet, f"sudo stat -c '%s %U:%G %a' {HOME}/dags/PROC_0/renamed.bin") == {
            f"{payload.stat().st_size} airflow:hadoop 640\n"
        }
    finally:
        payload.unlink()


def test_an_empty_tree_is_refused_unless_allowed(fleet: Fleet, tmp_path: Path) -> None:
    values = {"dag_release_source": str(tmp_path), "dag_release_neighbours": []}
    before, empty = fleet.live(), ("-e", json.dumps(values))
    assert "it is empty (dag_release_allow_empty)" in fleet.deliver(*empty).text
    assert fleet.live() == before
    with fleet.unread():
        run = fleet.deliver(*empty, "-e", "dag_release_allow_empty=true")
        assert run.process.returncode == 0, run.output
        assert everywhere(fleet, f"sudo ls {HOME}/dags") == {"airflow_ops_check.py\n"}


def test_the_way_back_to_folders_with_hand_copied_files(fleet: Fleet) -> None:
    by_hand = f"cd {HOME} && cp -rL dags plain && rm dags && mv plain dags && hostname >dags/own.py"
    with fleet.unread():
        fleet.cluster.everywhere(f"sudo -u airflow sh -c {by_hand!r}")
        run = fleet.deliver("-e", "dag_release_unmanaged=drop")
        assert run.process.returncode == 0, run.output
        assert everywhere(fleet, f"sudo test -e {HOME}/dags/own.py || echo gone") == {"gone\n"}
        back = fleet.cluster.playbook("playbooks/rollback_dags.yml")
        assert "adopted (each host its own)" in " ".join(back.stdout.split())
        assert fleet.cluster.everywhere(f"sudo cat {HOME}/dags/own.py") == {host: f"{host}\n" for host in fleet.hosts}


def test_a_file_above_the_limit_is_refused_before_anything_is_staged(fleet: Fleet) -> None:
    before = fleet.live()
    run = fleet.deliver("-e", "dag_release_max_file_size=20")
    assert run.process.returncode != 0
    assert "z_payload.bin has 24 MiB, the limit is 20 (dag_release_max_file_size)" in run.text
    assert fleet.live() == before


def test_a_dags_folder_that_is_read_only_stops_the_run(fleet: Fleet) -> None:
    before = fleet.live()
    fleet.cluster.ssh(VICTIM, f"sudo mount --bind {HOME} {HOME} && sudo mount -o remount,bind,ro {HOME}")
    try:
        run = fleet.deliver()
    finally:
        fleet.cluster.ssh(VICTIM, f"sudo umount {HOME}")
    assert run.process.returncode != 0
    assert f"{VICTIM} failed" in run.text
    assert "Read-only file system" in run.text
    assert fleet.live() == before
    fleet.deliver_well()


def test_masters_may_be_left_out(fleet: Fleet) -> None:
    before = fleet.live()
    run = fleet.deliver("-e", "dag_release_masters=leave")
    assert run.process.returncode == 0, run.output
    assert fleet.live_on("x01") == before["x01"]
    assert {fleet.live_on(host) for host in fleet.cluster.workers}.isdisjoint(before.values())
    assert "leaves out x01" in run.text
    fleet.deliver_well()


@pytest.mark.parametrize("what", ["carry", "drop"])
def test_a_file_that_no_source_has(fleet: Fleet, what: str) -> None:
    fleet.cluster.ssh(VICTIM, f"echo '# {what}' | sudo -u airflow tee {HOME}/dags/own_{what}.py")
    run = fleet.deliver("-e", f"dag_release_unmanaged={what}")
    assert run.process.returncode == 0, run.output
    assert f"own_{what}.py" in run.text
    there = fleet.home(VICTIM) / "dag_releases" / str(fleet.live_on(VICTIM)) / f"own_{what}.py"
    assert there.exists() == (what == "carry")
    kept = [path.read_text() for path in fleet.home(VICTIM).glob(f"dag_releases/*.kept/own_{what}.py*")]
    assert (there.read_text() if what == "carry" else kept[0]) == f"# {what}\n"


def test_a_commit_of_a_repository(fleet: Fleet, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-C", str(tmp_path / "repo")]
    (tmp_path / "repo/tests").mkdir(parents=True)
    (tmp_path / "repo/tests/test_dags.py").write_text("import pytest\n")
    subprocess.run(["cp", "-r", fleet.tree, fleet.tree.with_name(NEIGHBOUR), tmp_path / "repo"], check=True)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "as it was"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "repo/dags/later.sh").write_text("not committed\n")
    (tmp_path / "repo/tests/later.sh").write_text("not part of what is delivered\n")
    repo = ("-e", f"dag_release_repo={tmp_path / 'repo'}", "-e", "dag_release_subfolder=dags")
    before = fleet.live()
    assert "1 uncommitted changes (dags/later.sh), which no commit brings" in fleet.deliver(*repo).text
    assert fleet.live() == before
    (tmp_path / "repo/dags/later.sh").unlink()
    run = fleet.deliver(*repo)
    assert run.process.returncode == 0, run.output
    (live,) = set(fleet.live().values())
    manifests = [json.loads((fleet.home(host) / f"dag_releases/{live}.json").read_text()) for host in fleet.hosts]
    assert {manifest["origin"]["commit"] for manifest in manifests} == {commit}


def ss(fleet: Fleet, folder: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type `ss` as an admin does, in a folder of the sources."""
    inventory = yaml.safe_load(fleet.cluster.inventory.read_text("utf-8"))
    inventory["plain"]["vars"]["dag_release_parse"] = False  # plain hosts have no Airflow that could
    (home / "inventory.yml").write_text(yaml.safe_dump(inventory), "utf-8")
    own = {"ANSIBLE_INVENTORY": str(home / "inventory.yml"), "DAG_SOURCE": str(fleet.tree), "PWD": str(folder)}
    return subprocess.run(
        [REPOSITORY / "bin/ss", *arguments],
        cwd=folder, env=environment() | own, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_ss_delivers_and_removes_single_files(fleet: Fleet, tmp_path: Path) -> None:
    fleet.deliver_well()
    (fleet.tree / "UTIL").mkdir(exist_ok=True)
    for name in ("one file.sh", "not this.sh"):
        (fleet.tree / "UTIL" / name).write_text("true\n")
    try:
        done = ss(fleet, fleet.tree / "UTIL", tmp_path, "one file.sh")
        assert done.returncode == 0, done.stdout + done.stderr
        assert everywhere(fleet, f"sudo ls {HOME}/dags/UTIL") == {"one file.sh\n"}
        assert ss(fleet, fleet.tree / "UTIL", tmp_path, "none.sh").returncode == REFUSED
        done = ss(fleet, fleet.tree / "UTIL", tmp_path, "--remove", "one file.sh")
        assert done.returncode == 0, done.stdout + done.stderr
        assert everywhere(fleet, f"sudo test -e {HOME}/dags/UTIL || echo gone") == {"gone\n"}
    finally:
        subprocess.run(["rm", "-r", fleet.tree / "UTIL"], check=True)


def test_a_folder_beside_the_dags_that_was_there_comes_back_with_what_was_live(fleet: Fleet) -> None:
    by_hand = f"cd {HOME} && rm -f more && mkdir more && hostname >more/own.py"
    fleet.cluster.everywhere(f"sudo -u airflow sh -c {by_hand!r}")
    more = fleet.tree.with_name("more")
    more.mkdir()
    (more / "brought.sql").write_text("select 1\n")
    (fleet.tree / "reaches.py").write_text("import os\nSQL = os.path.join(os.path.dirname(__file__), '..', 'more')\n")
    order = ("-e", json.dumps({"dag_release_neighbours": ["include", "more"], "dag_release_unmanaged": "drop"}))
    try:
        preview = fleet.deliver(*order, "--check")
        assert ".neighbours/more/own.py" in preview.text
        assert "more comes with the release: reaches.py:2 (../more)" in preview.text
        assert everywhere(fleet, f"sudo test -L {HOME}/more || echo as it was") == {"as it was\n"}
        run = fleet.deliver(*order)
        assert run.process.returncode == 0, run.output
        assert everywhere(fleet, f"sudo sh -c 'cd {HOME}; cat more/* dags/../more/*'") == {"select 1\n" * 2}
        fleet.cluster.playbook("playbooks/rollback_dags.yml")
        assert fleet.cluster.everywhere(f"sudo cat {HOME}/more/own.py") == {host: f"{host}\n" for host in fleet.hosts}
    finally:
        subprocess.run(["rm", "-r", more, fleet.tree / "reaches.py"], check=True)
        fleet.deliver_well()
        fleet.cluster.everywhere(f"sudo rm {HOME}/more")


def test_what_lies_on_the_hosts_alone_is_reached_over_the_dags_link(fleet: Fleet) -> None:
    fleet.cluster.everywhere(f"sudo -u airflow sh -c 'mkdir -p {HOME}/sql && hostname >{HOME}/sql/q.sql'")
    fleet.cluster.ssh(VICTIM, f"sudo rm -r {HOME}/sql")
    path = fleet.tree / "reaches.py"
    path.write_text("from pathlib import Path\nSQL = Path(__file__).resolve().parent.parent / 'sql' / 'q.sql'\n")
    try:
        run = fleet.deliver_well()
        assert f"AIRFLOW_HOME/sql is missing on {VICTIM}" in run.text
        assert "reaches.py:2 (../sql/q.sql)" in run.text
        fleet.cluster.ssh(VICTIM, f"sudo -u airflow sh -c 'mkdir {HOME}/sql && hostname >{HOME}/sql/q.sql'")
        code = "import reaches; print(reaches.SQL.read_text(), end=str())"
        said = fleet.cluster.everywhere(f"sudo -u airflow sh -c 'cd {HOME}/dags && python3 -B -c \"{code}\"'")
        assert said == {host: f"{host}\n" for host in fleet.hosts}
    finally:
        path.unlink()
        fleet.deliver_well()
        fleet.cluster.everywhere(f"sudo rm -r {HOME}/sql {HOME}/dag_releases/sql")
