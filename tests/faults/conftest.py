"""The healthy cluster of prod hosts with the sample DAGs live, and a small development environment beside it.

With pytest-xdist each worker has a cluster of its own; --shard and --proof choose what runs.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from lab.two_sides import Sides
from tests import lanes
from tests.faults import selection
from tests.faults.selection import Selection, Shard

lanes.enter()

LAB = REPOSITORY / "lab/lab"
TABLES = "connection variable slot_pool"
KEPT = "/root/tables-before-the-tests.sql"

CHOSEN = pytest.StashKey[Selection]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose."""
    parser.addoption("--shard", default="", help="K/N: only the K-th of N parts, which take about the same time")
    parser.addoption("--proof", default="", help="K/N: that shard, the smoke tests and what the last commits touched")
    parser.addoption("--proof-seconds", type=float, default=float("inf"), help="what the modules of --proof may take")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a shard that is none before anything runs."""
    try:
        config.stash[CHOSEN] = _chosen(
            config.getoption("--shard"), config.getoption("--proof"), config.getoption("--proof-seconds")
        )
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def _chosen(shard: str, proof: str, limit: float) -> Selection:
    table, took = selection.areas(), selection.seconds()
    modules = {module for area in table.values() for module in area.modules}
    if not shard and not proof:
        return Selection(frozenset(modules))
    part = Shard.parse(shard or proof)
    chosen = selection.shards(modules, took, part.count)[part.number - 1]
    if shard:
        return Selection(chosen)
    changed = selection.touched(table, selection.last_touched())
    return selection.proof(table, chosen, changed, took, limit)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take what was chosen, the longest modules first, so that the lanes end together."""
    took, chosen = selection.seconds(), config.stash[CHOSEN]
    names = {item: item.nodeid.removeprefix("tests/faults/") for item in items}
    if missing := sorted(test for test in chosen.tests if test not in names.values()):
        raise pytest.UsageError(f"There is no test {missing[0]}, which areas.yml names as the smoke test of an area.")
    left_out = [item for item in items if not chosen.takes(names[item])]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: -took.get(names[item].partition("::")[0], selection.UNKNOWN))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what the time did not suffice for."""
    for module in config.stash[CHOSEN].left_out:
        terminalreporter.write_line(f"not run, the budget is spent: {module}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return the cluster; after the tests the sample tree is live again."""
    cluster = Cluster.standing("prod")
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")
    yield cluster
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


@pytest.fixture(scope="session")
def sample_dags() -> Path:
    """Return the sample tree."""
    return REPOSITORY / "dags"


@pytest.fixture(scope="session")
def both(cluster: Cluster) -> Iterator[Sides]:
    """Build the small side; afterwards it is gone and production holds what it held."""
    subprocess.run([LAB, "destroy", "mn01d"], check=True)
    subprocess.run([LAB, "up", "mn01d"], check=True)
    dev = Cluster.named("dev")
    dev.playbook("tests/faults/connection_sync/dev.yml", "-l", "mn01d")
    dev.airflow("db", "migrate")
    cluster.ssh(cluster.database, f"sudo sh -c 'umask 077; mariadb-dump airflow {TABLES} >{KEPT}'")
    try:
        yield Sides(cluster, dev)
    finally:
        cluster.ssh(cluster.database, f"sudo sh -c 'mariadb airflow <{KEPT} && rm {KEPT}'")
        subprocess.run([LAB, "destroy", "mn01d"], check=True)


@pytest.fixture
def sides(both: Sides) -> Iterator[Sides]:
    """Return both sides with twenty connections in prod and none in dev; no test may change prod's."""
    both.seed(20)
    yield both
    assert both.table(both.prod) == both.seeded
