"""The parts of the look at a host that read text and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from library import preflight_look as look

OURS = "# Written by Ansible, role airflow_services. Changes made here are lost.\n[Unit]\n"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2259 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
"""


@pytest.mark.parametrize(
    ("ports", "expected"),
    [([8080], {8080: "4711"}), ([8080, 8793, 22], {8080: "4711", 8793: "4712"}), ([22], {}), ([], {})],
    ids=["one", "two of three", "not listening", "none asked"],
)
def test_listening_inodes(ports: list[int], expected: dict[int, str]) -> None:
    assert look.listening_inodes(TCP, ports) == expected


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("0::/system.slice/airflow-worker.service\n", "airflow-worker.service"),
        ("1:name=systemd:/lab/dn01d/system.slice/ssh.service\n0::/lab/dn01d\n", "ssh.service"),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", ""),
        ("", ""),
    ],
    ids=["unit", "in a lab", "login", "gone"],
)
def test_unit_of(cgroup: str, expected: str) -> None:
    assert look.unit_of(cgroup) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/usr/hmg/x/bin/python3.11 /usr/hmg/x/bin/airflow scheduler", "scheduler"),
        ("airflow scheduler -- DagFileProcessorManager", "scheduler"),
        ("/opt/airflow celery worker --queues default", "celery worker"),
        ("python3 -m http.server", None),
        ("vi airflow scheduler", None),
        ("/usr/bin/airflow tasks run d t r", None),
    ],
    ids=["by python", "renamed", "worker", "other", "editor", "task"],
)
def test_processes_are_known_by_their_command(command: str, expected: str | None) -> None:
    found = look.SERVICE.match(command)
    assert (found and found.group(1)) == expected


def test_units_are_told_apart_by_their_header(tmp_path: Path) -> None:
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    (tmp_path / "airflow-worker.service").write_text(OURS)
    (wants / "airflow-worker.service").symlink_to(tmp_path / "airflow-worker.service")
    (wants / "airflow-scheduler.service").write_text("[Service]\nExecStart=/opt/airflow_control.sh scheduler\n")
    (tmp_path / "airflow-webserver.service").symlink_to("/dev/null")
    (tmp_path / "airflow-metadata-dump.service").write_text("# Ansible managed\n")
    assert list(look.units([str(tmp_path), str(tmp_path / "absent")])) == [
        {"name": "airflow-worker.service", "path": f"{tmp_path}/airflow-worker.service", "ours": True},
        {"name": "airflow-scheduler.service", "path": f"{wants}/airflow-scheduler.service", "ours": False},
    ]


def test_only_configurations_of_others_are_named(tmp_path: Path) -> None:
    for version, text in (("1", "# Ansible managed\n"), ("2", "[core]\n")):
        (tmp_path / version / "airflow").mkdir(parents=True)
        (tmp_path / version / "airflow/airflow.cfg").write_text(text)
    assert look.configurations(tmp_path) == [f"{tmp_path}/2/airflow/airflow.cfg"]


def test_ambari_is_known_by_its_components(tmp_path: Path) -> None:
    topology = tmp_path / "topology.json"
    assert look.ambari(topology) == []
    topology.write_text('{"components": [{"componentName": "AIRFLOW_WORKER"}, {"componentName": "AIRFLOW_SCHEDULER"}]}')
    assert look.ambari(topology) == [f"Ambari runs AIRFLOW_SCHEDULER, AIRFLOW_WORKER ({topology})"]


def test_free_space_is_that_of_the_nearest_existing_parent(tmp_path: Path) -> None:
    assert look.free_mb(tmp_path / "not" / "yet" / "there") == pytest.approx(look.free_mb(tmp_path), rel=0.05)


def test_os_release_and_memory() -> None:
    assert look.os_release('ID=debian\nPRETTY_NAME="Debian 12"\n\n') == {"ID": "debian", "PRETTY_NAME": "Debian 12"}
    assert look.memory_mb("MemTotal:        2097152 kB\nMemFree: 1 kB\n") == 2048
    assert look.memory_mb("") == 0


def test_names_are_resolved_or_not() -> None:
    assert "127.0.0.1" in look.addresses("localhost")
    assert look.addresses("no-such-host.invalid") == []
