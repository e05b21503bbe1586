"""The parts of the look at a host that read text and folders."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
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


def process(proc: Path, pid: int, name: str, *sockets: str) -> None:
    """Make a process of a /proc of our own; the first of its files vanishes while somebody looks."""
    (proc / f"{pid}/fd").mkdir(parents=True)
    (proc / f"{pid}/comm").write_text(f"{name}\n")
    (proc / f"{pid}/fd/0").touch()  # reading it as a link fails, as it does for one that was closed
    for number, inode in enumerate(sockets, 1):
        (proc / f"{pid}/fd/{number}").symlink_to(f"socket:[{inode}]")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Return a /proc with a web server that listens on 8080."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(TCP)
    process(tmp_path, 90, "bash")
    process(tmp_path, 100, "nginx", "1", "4711")
    process(tmp_path, 101, "nginx", "4711")
    return tmp_path


WEB = {"port": 8080, "pid": "100", "process": "nginx", "unit": ""}


def test_a_file_that_vanishes_hides_no_socket(proc: Path) -> None:
    assert look.listeners([8080], proc) == [WEB]


def test_a_socket_that_nobody_seems_to_hold_is_looked_for_again(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def appear(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            process(proc, 200, "java", "4712")

    monkeypatch.setattr(time, "sleep", appear)
    assert look.listeners([8080, 8793], proc) == [WEB, {"port": 8793, "pid": "200", "process": "java", "unit": ""}]
    assert len(pauses) == 2


def test_a_port_that_was_closed_meanwhile_is_free(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: (proc / "net/tcp").write_text(TCP.splitlines()[0]))
    assert look.listeners([8793], proc) == []


def test_a_socket_of_the_kernel_has_no_process(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert look.listeners([8793], proc) == [{"port": 8793, "pid": "", "process": "", "unit": ""}]
    assert len(pauses) == look.LOOKS - 1


# Opens and closes files without a pause, as a busy server does.
RESTLESS = """
import os, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    for handle in [os.open("/dev/null", os.O_RDONLY) for _ in range(800)]:
        os.close(handle)
"""


@pytest.fixture
def restless() -> Iterator[tuple[int, int]]:
    """Start a real server that opens and closes files all the time; return its port and pid."""
    with subprocess.Popen([sys.executable, "-c", RESTLESS], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield int(server.stdout.readline()), server.pid
        server.kill()


def test_a_restless_server_is_seen_each_time(restless: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LOOKS", 1)
    port, pid = restless
    assert {look.listeners([port])[0]["pid"] for _ in range(10)} == {str(pid)}


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
