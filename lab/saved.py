"""Saved hosts: what took minutes to build is copied in seconds, also into another lab.

A saved set lies in the cache, complete or not at all: the disks of its hosts, how they were made, and the secrets that
these hosts know. Where it is brought back, each host gets the identity of that lab: names, addresses and keys.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from lab import cluster, host, state
from lab.errors import LabError
from lab.hosts import find
from lab.lock import locked
from lab.settings import Settings
from lab.shell import run
from lab.state import Made

Say = Callable[[str], None]
KEEP = 3  # sets; each takes some gigabytes
SECRETS = ("vault-password", "group_vars/*/vault.yml")  # below the inventory


def folder(cache: Path, name: str) -> Path:
    """Return where the set of that name lies."""
    return cache / f"saved-{name}"


def exists(settings: Settings, name: str) -> bool:
    """Tell whether there is a set of that name whose trees are there, too."""
    record = folder(settings.cache, name) / "hosts.json"
    return record.exists() and all(Path(lower).is_dir() for made in _made(record).values() for lower in made.lower)


def save(settings: Settings, name: str, hosts: Sequence[str], say: Say) -> None:
    """Save the disks of hosts, which are shut down for it and boot again if they ran."""
    record = state.load(settings)
    missing = [one for one in hosts if one not in record.hosts]
    if missing:
        raise LabError(f"There is no host {missing[0]} in the lab '{settings.name}'; `lab up {missing[0]}` makes it.")
    running = [one for one in hosts if host.is_running(settings, one)]
    if running:
        cluster.down(settings, running, say)
    with locked(settings.cache / "saved.lock"):
        target = folder(settings.cache, name)
        work = target.with_name(f"{target.name}.partial")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, mode=0o700)
        os.sync()  # the namespaces of other hosts may hold the mounts of these: unmounting alone writes nothing
        for one in hosts:
            _copy(host.disk_of(settings, one).image, work / f"{one}.img")
        for pattern in SECRETS:
            for file in settings.inventory.glob(pattern):
                _copy(file, work / "inventory" / file.relative_to(settings.inventory))
        made = {one: asdict(record.hosts[one]) for one in hosts}
        (work / "hosts.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
        _forget_oldest(settings.cache)
    if running:
        cluster.up(settings, [find(one) for one in running], bare=False, say=say)
    say(f"{len(hosts)} hosts saved as {name}")


def restore(settings: Settings, name: str, say: Say) -> None:
    """Boot copies of saved hosts in place of all that the lab has."""
    source = folder(settings.cache, name)
    if not exists(settings, name):
        raise LabError(f"Nothing usable is saved as '{name}' in {settings.cache}; `lab save {name}` makes it.")
    cluster.destroy(settings, sorted(state.load(settings).hosts), say)
    with locked(settings.cache / "saved.lock"):
        made = _made(source / "hosts.json")
        for one in made:
            _copy(source / f"{one}.img", host.disk_of(settings, one).image)
        for file in (source / "inventory").rglob("*"):
            if file.is_file():
                _copy(file, settings.inventory / file.relative_to(source / "inventory"))
        source.touch()
    record = state.load(settings)
    record.hosts = made
    state.save(settings, record)
    cluster.up(settings, [find(one) for one in made], bare=False, say=say)


def _made(record: Path) -> dict[str, Made]:
    return {name: Made(**made) for name, made in json.loads(record.read_text(encoding="utf-8")).items()}


def _copy(source: Path, target: Path) -> None:
    """Copy a file with its mode; its holes stay holes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "--sparse=always", "--reflink=auto", "--preserve=mode", source, target])


def _forget_oldest(cache: Path) -> None:
    """Keep the sets that were used last."""
    sets = [path for path in cache.glob("saved-*") if (path / "hosts.json").exists()]
    for path in sorted(sets, key=lambda path: path.stat().st_mtime)[:-KEEP]:
        shutil.rmtree(path)
