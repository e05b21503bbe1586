"""A host in a folder of this machine: what a run asks of its agent, in the order in which it does."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent import live, stage
from airflow_ops.dag_release.agent.place import Place
from airflow_ops.dag_release.agent.tree import digest, scan

OWN_GROUP = grp.getgrgid(os.getgid()).gr_name


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def content(folder: Path) -> dict[str, str]:
    return {entry.path: (folder / entry.path).read_text() for entry in scan(folder)}


def staged(place: Place, release: str, files: dict[str, str], unmanaged: str = "carry") -> dict[str, Any]:
    """Stage a release as a run does and seal it; return what was carried and kept."""
    stage.begin(place, release, 0, 0, [])
    write(place.staging(release), files)
    verified = {entry.path: entry for entry in stage.verify(place.staging(release))}
    report = stage.carry(place, release, unmanaged, verified)
    fields = {"id": release, "digest": digest(verified.values()), "carried": report["carried"]}
    stage.seal(place, release, fields, verified)
    return report


def delivered(place: Place, release: str, files: dict[str, str], unmanaged: str = "carry") -> dict[str, Any]:
    """Deliver a release; return what was said of it."""
    report = staged(place, release, files, unmanaged)
    activated, _ = live.activate(place, release)
    done = live.commit(place, release, activated["replaced"])
    return {**activated, **report, "kept": report["kept"] + activated.get("kept", []) + done["kept"]}


def not_delivered(place: Place, release: str, files: dict[str, str], between: Callable[[], object]) -> None:
    """Deliver a release whose switch fails; `between` happens while it is live."""
    staged(place, release, files)
    _, undo = live.activate(place, release)
    between()
    undo()


def rolled_back(place: Place, release: str) -> list[str]:
    """Go back to a release; return what was kept."""
    kept: list[str] = stage.keep_all(place, release)["kept"]
    activated, _ = live.activate(place, release)
    done = live.commit(place, release, activated["replaced"])
    return [*kept, *activated.get("kept", []), *done["kept"]]


def pruned(place: Place, keep: int = 1, minutes: int = 0) -> list[str]:
    """Remove the old releases in which nobody stands; return them."""
    removed: list[str] = live.prune(place, live.outdated(place, keep, minutes)["outdated"])["removed"]
    return removed
