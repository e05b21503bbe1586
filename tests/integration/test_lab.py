"""The lab does to real hosts what it says, and leaves nothing behind.

Has a lab of its own, beside whatever else runs: two hosts of the dev environment.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cgroup, disk, host, network, saved, settings

ROOT = Path(__file__).resolve().parents[2]
NAME = "labtst"
ENVIRONMENT = {"LAB_NAME": NAME, "LAB_NETWORK": "10.76.251.0/24", "LAB_STATE": f"/var/lib/airflow-ops-lab/{NAME}"}
LAB = settings.from_environment(ENVIRONMENT)
MASTER, DATA = "mn01d", "dn01d"


def lab(
    *words: str, ok: int | None = 0, timeout: float = 120, env: dict[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    """Run a command of the lab, or of the one that the variables name; ``ok`` is the exit code it must have."""
    result = subprocess.run(
        [ROOT / "lab/lab", *words],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert ok is None or result.returncode == ok, f"lab {words}: {result.stdout}{result.stderr}"
    return result


def ssh(
    host: str, command: str, *options: str, timeout: float = 60, lab: settings.Settings = LAB
) -> subprocess.CompletedProcess[str]:
    """Run a command on a host with the lab's ssh configuration, as testinfra does."""
    words = ["timeout", str(timeout), "ssh", "-F", str(lab.ssh_config), *options, host, command]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def on(host: str, command: str, ok: int = 0) -> str:
    """Run a command on a host and return all it says."""
    result = ssh(host, command)
    assert result.returncode == ok, f"{command} on {host}: {result.stdout}{result.stderr}"
    return result.stdout + result.stderr


def state(name: str) -> str:
    """Return the state of a host."""
    return host.state(LAB, name)


def answers(host: str) -> bool:
    """Tell whether sshd on a host takes a new connection within three seconds."""
    return ssh(host, "true", "-o", "ControlPath=none", timeout=3).returncode == 0


def eventually_answers(host: str, seconds: float = 20) -> bool:
    """Wait until a host answers."""
    deadline = time.monotonic() + seconds
    while not answers(host) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answers(host)


def traces() -> list[str]:
    """Return whatever of the lab is on this machine: mounts, loops, interfaces, rules, processes, cgroups, folders."""
    places = [Path("/proc/self/mountinfo").read_text()]
    places += [file.read_text() for file in Path("/sys/block").glob("loop*/loop/backing_file")]
    places += [f"interface {path.name}" for path in Path("/sys/class/net").iterdir()]
    places += [subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout]
    if network.MACHINE_FILE.exists():
        places.append(network.MACHINE_FILE.read_text())
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places.append(f"process {process.name} " + (process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # ended
            continue
    marks = (f"/{NAME}/", f"-{NAME}", f":{NAME}", str(LAB.network))
    lines = [line for place in places for line in place.splitlines() if any(mark in line for mark in marks)]
    folders = [*cgroup.folders(NAME, ""), LAB.runtime, LAB.state]
    return lines + [str(folder) for folder in folders if folder.exists()]


@pytest.fixture(scope="module", autouse=True)
def hosts() -> Iterator[None]:
    """Boot the two hosts, and take them away whatever happens."""
    lab("destroy")
    lab("up", MASTER, DATA)
    yield
    lab("destroy")


def test_list_shows_hosts_with_their_layers() -> None:
    rows = [line.split() for line in lab("list").stdout.splitlines()]
    assert [(name, address, state, layer) for name, address, state, _, _, layer in rows[1:]] == [
        (MASTER, "10.76.251.31", "running", "metadata"),
        (DATA, "10.76.251.41", "running", "node"),
    ]


def test_hosts_are_whole_machines_that_know_each_other() -> None:
    assert state(MASTER) == state(DATA) == "running"
    facts = on(DATA, "whoami; sudo -n whoami; hostname; ps -o comm= -p 1; getent hosts mn01p")
    assert facts.splitlines()[:4] == ["mbsadmin", "root", DATA, "systemd"]
    assert "10.76.251.11" in facts
    assert on(DATA, f"bash -c '</dev/tcp/{MASTER}/22' && echo reached") == "reached\n"
    assert on(MASTER, "cat /etc/machine-id") != on(DATA, "cat /etc/machine-id")


def test_services_of_a_host_are_systemds_own() -> None:
    """Hosts that share a cgroup fail with 219/CGROUP, or cannot stop a unit."""
    on(DATA, "sudo systemctl restart cron && sudo systemctl stop cron && sudo systemctl start cron")
    assert on(DATA, "systemctl list-units --failed --no-legend") == ""


def test_host_keys_are_checked() -> None:
    known = LAB.state / "ssh/known_hosts"
    right = known.read_text()
    keys = {line.split()[0].split(",")[0]: line.split()[2] for line in right.splitlines()}
    assert answers(DATA)
    try:
        known.write_text(right.replace(keys[DATA], keys[MASTER]))
        assert not answers(DATA)
    finally:
        known.write_text(right)


def test_apt_works_in_a_host() -> None:
    on(DATA, "sudo apt-get update -qq && sudo apt-get install -y -qq tree >/dev/null && tree --version")


def test_paused_host_hangs_until_resumed() -> None:
    lab("pause", DATA)
    assert (state(DATA), answers(DATA), answers(MASTER)) == ("paused", False, True)
    lab("resume", DATA)
    assert eventually_answers(DATA)
    assert state(DATA) == "running"


def test_cut_host_is_cut_from_everybody_and_lives_on() -> None:
    attempt = f"timeout 2 bash -c '</dev/tcp/{MASTER}/22'"
    script = f"while [ $(cat /sys/class/net/host0/carrier) = 1 ]; do sleep 0.1; done; {attempt}; echo $? >peer"
    on(DATA, f"nohup sh -c {shlex.quote(script)} >/dev/null 2>&1 &")
    lab("cut", DATA)
    assert (state(DATA), answers(DATA)) == ("cut", False)
    lab("heal", DATA)
    assert eventually_answers(DATA)
    assert on(DATA, "until [ -s peer ]; do sleep 0.1; done; cat peer") != "0\n"
    assert on(DATA, f"bash -c '</dev/tcp/{MASTER}/22' && echo reached") == "reached\n"


def test_full_disk_is_full_for_this_host_alone() -> None:
    lab("fill", DATA)
    assert state(DATA) == "full"
    for writer in ("", "sudo "):
        said = on(DATA, f"{writer}dd if=/dev/zero of=/var/tmp/more bs=64k count=1", ok=1)
        assert "No space left on device" in said
    on(MASTER, "dd if=/dev/zero of=more bs=64k count=1")
    lab("free", DATA)
    on(DATA, "sudo dd if=/dev/zero of=/var/tmp/more bs=64k count=1")
    assert state(DATA) == "running"


def test_power_cut_keeps_the_disk() -> None:
    on(DATA, "echo kept > file && sync file")
    lab("pause", DATA)
    lab("kill", DATA)
    assert (state(DATA), answers(DATA)) == ("stopped", False)
    lab("up", DATA)
    assert on(DATA, "cat file") == "kept\n"


def test_shutdown_is_orderly() -> None:
    lab("down", DATA)
    assert (state(DATA), state(MASTER)) == ("stopped", "running")
    lab("up", DATA)
    assert "Reached target poweroff.target" in on(DATA, "sudo journalctl --boot=-1 --no-pager --output=cat")


def test_one_host_is_made_anew() -> None:
    on(DATA, "touch old")
    lab("destroy", DATA)
    lab("up", DATA, "--bare")
    assert on(DATA, "ls") == ""
    assert on(DATA, "dpkg -s libmariadb3", ok=1)
    on(DATA, "sudo apt-get update -qq && sudo apt-get install -y -qq libmariadb3 >/dev/null")
    assert "has layer metadata" in lab("up", "--bare", MASTER, ok=1).stderr


@pytest.mark.parametrize("keep_init", [True, False], ids=["nspawn alone", "everything"])
def test_lab_that_was_killed_from_outside_is_healed(keep_init: bool) -> None:
    """The containers of a killed systemd-nspawn live on as orphans that hold its name and address."""
    for name in (MASTER, DATA):
        found = cgroup.processes(NAME, name)
        assert found.nspawn is not None
        for pid in [found.nspawn] if keep_init else found.all:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    time.sleep(0.3)
    assert state(DATA) == ("broken" if keep_init else "stopped")
    lab("up", MASTER, DATA)
    assert state(MASTER) == state(DATA) == "running"
    assert on(DATA, "ls /home") == "mbsadmin\n"


def test_lab_is_healed_after_the_machine_lost_power() -> None:
    """Then mounts, interfaces and rules are gone; only the folders are left."""
    on(DATA, "echo kept > file && sync file")
    for name in (MASTER, DATA):
        lab("kill", name)
    network.down(LAB)
    disk.unmount_below(LAB.state)
    lab("up", MASTER, DATA)
    assert on(DATA, "cat file") == "kept\n"
    assert on(DATA, f"bash -c '</dev/tcp/{MASTER}/22' && echo reached") == "reached\n"


@pytest.fixture
def beside() -> Iterator[dict[str, str]]:
    """Return the variables of a second lab; afterwards it is gone, and what was saved."""
    name = "labcpy"
    variables = {"LAB_NAME": name, "LAB_NETWORK": "10.76.253.0/24", "LAB_STATE": f"/var/lib/airflow-ops-lab/{name}"}
    yield variables
    lab("destroy", env=variables)
    shutil.rmtree(saved.folder(LAB.cache, NAME), ignore_errors=True)


def test_saved_hosts_come_back_in_another_lab_as_hosts_of_its_own(beside: dict[str, str]) -> None:
    other = settings.from_environment(beside)
    on(DATA, "echo kept > file")
    lab("save", NAME, DATA)
    assert on(DATA, "cat file") == "kept\n"  # it runs again
    lab("restore", NAME, env=beside)
    told = ssh(DATA, f"cat file; getent hosts {DATA}; cat /etc/ssh/ssh_host_ed25519_key.pub", lab=other).stdout.split()
    assert told[:3] == ["kept", "10.76.253.41", DATA]
    assert told[4] not in on(DATA, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    assert other.vault_password.read_text() == LAB.vault_password.read_text()
    assert saved.folder(LAB.cache, NAME).stat().st_mode & 0o077 == 0
    ssh(DATA, "echo other > file", lab=other)
    assert on(DATA, "cat file") == "kept\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("restore", "nothing"), "Nothing usable is saved as 'nothing'"),
        (("save", "some", "mn02p"), "There is no host mn02p in the lab 'labtst'; `lab up mn02p` makes it."),
    ],
)
def test_what_is_not_there_is_neither_saved_nor_restored(words: tuple[str, ...], said: str) -> None:
    assert said in lab(*words, ok=1).stderr
    assert state(DATA) == "running"


def test_a_network_that_is_taken_is_refused() -> None:
    result = subprocess.run(
        [ROOT / "lab/lab", "up", DATA],
        env={**os.environ, **ENVIRONMENT, "LAB_NAME": "other", "LAB_STATE": f"{LAB.state}/other"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "is in use by interface br-labtst" in result.stderr


def test_destroy_leaves_nothing() -> None:
    assert traces(), "nothing is found although the lab runs: this test would prove nothing"
    lab("pause", DATA)
    lab("cut", MASTER)
    lab("destroy")
    assert traces() == []
    lab("destroy")
    assert traces() == []
