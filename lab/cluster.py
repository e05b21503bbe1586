"""What is done to a lab as a whole: up, down, destroy."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from lab import cgroup, disk, host, image, inventory, keys, network, ssh, state
from lab.errors import LabError
from lab.hosts import DEFAULT_HOSTS, EXTRA, PLAIN, Host, find
from lab.lock import locked
from lab.settings import DEFAULT_STATE, Settings
from lab.state import Made, Record

Say = Callable[[str], None]
Item = TypeVar("Item")

# More at once only makes each of them slower, and the first one usable later.
PARALLEL_BOOTS = 8
PARALLEL_STOPS = 16


def up(settings: Settings, wanted: Sequence[Host], bare: bool, say: Say) -> None:
    """Boot the hosts that do not run whole, clean what is left of dead ones, and write the inventory."""
    with locked(settings.state / "lock"):
        record = plan(settings, wanted, bare, say)
        everybody = [*DEFAULT_HOSTS, *extras(record)]
        network.up(settings)
        settings.runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys.admin_key(settings)
        keys.write_ssh_files(settings, everybody)
        inventory.write(settings, extras(record))
        asleep = [one for one in wanted if not host.is_running(settings, one.name)]

        def start(one: Host) -> str:
            begin = time.monotonic()
            ssh.end_stale(one.address(settings.network))
            host.prepare(settings, one, record.hosts[one.name], everybody)
            host.boot(settings, one)
            return f"{one.name:6} {one.address(settings.network):15} up after {time.monotonic() - begin:.1f} s"

        for one in wanted:
            if one not in asleep:
                say(f"{one.name:6} {one.address(settings.network):15} is up already ({host.state(settings, one.name)})")
        _in_parallel(start, asleep, PARALLEL_BOOTS, say)


def plan(settings: Settings, wanted: Sequence[Host], bare: bool, say: Say) -> Record:
    """Decide, and record, how new hosts are made; a host that exists stays as it was made."""
    record = state.load(settings)
    new = [one for one in wanted if one.name not in record.hosts]
    for one in wanted:
        made = record.hosts.get(one.name)
        if bare and made and made.layer:
            raise LabError(f"Host {one.name} has layer {made.layer}; `lab destroy {one.name}` before `up --bare`.")
    layers = {one.name: "" if bare or one.layer == PLAIN else one.layer for one in new}
    if new:
        lower = image.lower_folders(settings.cache, set(layers.values()) - {""}, say)
        for name, layer in layers.items():
            record.hosts[name] = Made(layer, [str(folder) for folder in lower[layer]])
    state.save(settings, record)
    return record


def extras(record: Record) -> list[Host]:
    """Return the plain hosts of a lab, in order."""
    found = [find(name) for name in record.hosts]
    return sorted((one for one in found if one.environment == EXTRA), key=lambda one: one.offset)


def down(settings: Settings, names: Sequence[str], say: Say) -> None:
    """Shut hosts down; their disks stay. With all hosts down, the network goes too."""
    if not settings.state.exists():
        say(f"There is no lab '{settings.name}'.")
        return
    with locked(settings.state / "lock"):

        def stop(name: str) -> str:
            if not cgroup.processes(settings.name, name).all:
                host.power_cut(settings, name)
                return ""
            ssh.close_shared(settings, name)
            begin = time.monotonic()
            how = "down" if host.power_off(settings, name) else "did not shut down in order and was ended,"
            return f"{name:6} {how} after {time.monotonic() - begin:.1f} s"

        stopping = list(names) or _known(settings)
        _in_parallel(stop, stopping, PARALLEL_STOPS, say)
        for name in stopping:
            disk.unmount_below(host.disk_of(settings, name).folder)
        _leave_when_empty(settings)


def destroy(settings: Settings, names: Sequence[str], say: Say) -> None:
    """Remove hosts with their disks; without names the whole lab, with keys, inventory and network."""
    if not settings.state.exists():
        settings.state.mkdir(parents=True)  # rules, mounts or processes may be left although the folder is gone

    def remove(name: str) -> str:
        cut_power(settings, name)
        ssh.end_stale(find(name).address(settings.network))
        disk.remove(host.disk_of(settings, name))
        return f"{name:6} removed"

    with locked(settings.state / "lock"):
        _in_parallel(remove, list(names) or _known(settings), PARALLEL_STOPS, say)
        record = state.load(settings)
        record.hosts = {name: made for name, made in record.hosts.items() if names and name not in names}
        if names:
            state.save(settings, record)
            _leave_when_empty(settings)
            return
        _leave_when_empty(settings)
        disk.unmount_below(settings.state)
        shutil.rmtree(settings.inventory, ignore_errors=True)
        shutil.rmtree(settings.state)
    for shared in (settings.runtime.parent, Path(DEFAULT_STATE)):
        with contextlib.suppress(OSError):  # another lab is in it
            shared.rmdir()
    say(f"Lab '{settings.name}' is gone.")


def cut_power(settings: Settings, name: str) -> None:
    """End a host without any shutdown."""
    ssh.close_shared(settings, name)
    host.power_cut(settings, name)


@contextlib.contextmanager
def one_host(settings: Settings, name: str) -> Iterator[None]:
    """Hold the lab while something is done to one host, which must be running."""
    find(name)
    if not settings.state.exists():
        raise LabError(f"There is no lab '{settings.name}'; `lab up {name}` makes it.")
    with locked(settings.state / "lock"):
        if not host.is_running(settings, name):
            raise LabError(f"Host {name} does not run; `lab up {name}` boots it.")
        yield


def _known(settings: Settings) -> list[str]:
    """Return all hosts that left a trace: in the record, as a folder, or as a cgroup."""
    places = [settings.state / "hosts", *(folder.parent for folder in cgroup.folders(settings.name, "any"))]
    found = [child.name for place in places if place.is_dir() for child in place.iterdir() if child.is_dir()]
    return sorted({*state.load(settings).hosts, *found})


def _leave_when_empty(settings: Settings) -> None:
    if any(cgroup.processes(settings.name, name).all for name in _known(settings)):
        return
    cgroup.remove(settings.name)
    network.down(settings)
    shutil.rmtree(settings.runtime, ignore_errors=True)


def _in_parallel(work: Callable[[Item], str], items: Sequence[Item], limit: int, say: Say) -> None:
    """Do ``work`` on all items, saying each result as it comes; the errors of all are raised as one."""
    errors = []
    with ThreadPoolExecutor(max_workers=limit) as pool:
        for future in as_completed([pool.submit(work, item) for item in items]):
            try:
                if said := future.result():
                    say(said)
            except LabError as error:
                errors.append(str(error))
    if errors:
        raise LabError(" ".join(errors))
