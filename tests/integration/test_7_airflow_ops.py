"""The day's work by airflow-ops on the standing cluster: deploy, look, go back, and the exit codes for machines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.ops import Ops

UNREACHABLE, REFUSED = 3, 5
HOME = "/usr/hmg/2.2.1.0-552/airflow"
READERS = ("mn02p", "dn01p", "dn02p", "dn03p")


@pytest.fixture(scope="module")
def ops(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Ops:
    return Ops(cluster, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def tree(ops: Ops, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a changed copy of the sample tree; the sample tree is live again afterwards."""
    tree = tmp_path_factory.mktemp("source") / "dags"
    shutil.copytree(REPOSITORY / "dags", tree, symlinks=True)
    (tree / "NGIOS_UTIL/by_airflow_ops.sh").write_text("true\n")
    yield tree
    ops("deploy", "--yes", "--no-parse", "--allow-dirty")


def live(cluster: Cluster) -> set[str]:
    return {cluster.ssh(host, f"sudo readlink {HOME}/dags").stdout.strip().rpartition("/")[2] for host in READERS}


def test_production_is_not_changed_without_a_yes(ops: Ops, cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    refused = ops("deploy", "--source", str(tree), code=REFUSED)
    assert "shows its plan and asks first" in refused["reasons"][0]
    preview = ops("deploy", "--source", str(tree), "--no-parse", "--check")
    assert any("by_airflow_ops.sh" in line for line in preview["diff"])
    assert live(cluster) == before


def test_a_delivery_its_release_and_the_way_back(ops: Ops, cluster: Cluster, tree: Path) -> None:
    (before,) = live(cluster)
    delivered = ops("deploy", "--source", str(tree), "--no-parse", "--yes")
    (after,) = live(cluster)
    assert after != before
    assert any(after in line for line in delivered["messages"])
    listed = ops("releases")
    assert all(any(line.split()[:3] == [host, "*", after] for line in listed["messages"]) for host in READERS)
    ops("rollback", "--yes")
    assert live(cluster) == {before}
    ops("rollback", after, "--yes")
    assert live(cluster) == {after}


def test_the_status_shows_every_service(ops: Ops) -> None:
    shown = "\n".join(ops("status")["messages"])
    assert all(name in shown for name in ("scheduler", "webserver", "triggerer", *READERS))


def test_hosts_that_cannot_be_reached_have_an_exit_code(ops: Ops, cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    (tree / "NGIOS_UTIL/by_airflow_ops.sh").write_text("false\n")
    subprocess.run(["lab", "cut", "dn02p"], check=True)
    try:
        deploy = ops("deploy", "--source", str(tree), "--no-parse", "--yes", code=UNREACHABLE)
    finally:
        subprocess.run(["lab", "heal", "dn02p"], check=True)
    assert "dn02p could not be reached" in deploy["reasons"][0]
    assert live(cluster) == before
    resumed = ops("runs", "resume", deploy["record"], "--yes")
    assert (resumed["outcome"], len(live(cluster))) == ("done", 1)
    assert live(cluster) != before


def test_no_secret_is_kept_of_a_run(ops: Ops, cluster: Cluster) -> None:
    """Of all that the vault holds nothing lies in the records, whatever the runs before have shown."""
    texts = [path.read_text() for path in Path(ops.variables["AIRFLOW_OPS_STATE"]).rglob("*") if path.is_file()]
    assert len(texts) > 4
    for secret in leaves(cluster.secrets()):
        assert not any(secret in text for text in texts)


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts of a structure."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, str) and len(value) > 5:
        yield value
