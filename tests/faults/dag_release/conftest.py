"""Four plain hosts of the lab with a release that is live, and a reader on each that nothing may disturb."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.plain_cluster import HOME, PlainCluster
from lab.settings import REPOSITORY
from tests.faults.dag_release import source
from tests.faults.dag_release.fleet import Fleet

HOSTS = 4
READER = Path(__file__).with_name("reader.py")
PASSES = "/run/reader/passes"  # not on a disk, which a test may fill
UNIT = f"""\
[Service]
User=airflow
StateDirectory=reader
RuntimeDirectory=reader
RuntimeDirectoryPreserve=yes
ExecStart=/usr/bin/python3 -B /opt/reader.py {HOME}/dags /var/lib/reader/wrong {PASSES} airflow
Restart=always
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Boot the hosts, deliver a first release and start the readers; take the hosts away afterwards."""
    folder = tmp_path_factory.mktemp("dag_release")
    source.declare(folder)
    cluster = PlainCluster.up(HOSTS, folder / "inventory.yml")
    fleet = Fleet(cluster, folder / "dags")
    source.renew(fleet.tree)
    fleet.deliver_well()
    for host in fleet.hosts:
        (fleet.root(host) / "opt/reader.py").write_bytes(READER.read_bytes())
        (fleet.root(host) / "etc/systemd/system/reader.service").write_text(UNIT)
    cluster.everywhere("sudo systemctl daemon-reload && sudo systemctl enable --now -q reader")
    yield fleet
    subprocess.run([REPOSITORY / "lab/lab", "destroy", *fleet.hosts], check=True)


@pytest.fixture
def fleet(readers: Fleet) -> Iterator[Fleet]:
    """Return the fleet with a tree that is not live yet; no reader may have seen anything wrong during the test."""
    source.renew(readers.tree)
    readers.cluster.everywhere(f"sudo rm -f {PASSES}")
    yield readers
    for host in readers.hosts:
        readers.heal(host)
        readers.free(host)
    said = readers.cluster.everywhere(
        f"systemctl is-active reader; cat {PASSES}; cd /var/lib/reader; cat wrong; sudo rm -f wrong"
    )
    for host, text in said.items():
        active, passes, *wrong = text.splitlines()
        assert (active, wrong) == ("active", []), f"{host}: {text}"
        assert int(passes) > 0
