"""The tree that the fault tests deliver, with a folder beside it: every file says which release it is of, so that a
mixture shows."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from tests.faults.dag_release.reader import MARK

PACKAGES, FILES = 4, 6
NEIGHBOUR = "include"
PAYLOAD = 24 << 20  # bytes: staging them takes a moment, in which a fault can be caused


def declare(inventory: Path) -> None:
    """Name the folder beside the tree in the variables of an inventory's folder, for every way to deliver."""
    variables = inventory / "group_vars/all.yml"
    variables.parent.mkdir()
    variables.write_text(json.dumps({"dag_release_neighbours": [NEIGHBOUR]}), "utf-8")


def renew(tree: Path) -> str:
    """Write all files of the tree anew and return the name of the release that they say they are of."""
    release = uuid.uuid4().hex
    programs = [f"PROC_{package}/PKG_A/PR_{number}.py" for package in range(PACKAGES) for number in range(FILES)]
    names = [*programs, "CONFIG/한글 settings.json", "COUNT.json", f"../{NEIGHBOUR}/COUNT.json", f"../{NEIGHBOUR}/q.py"]
    for name in names:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"release": release, "files": len(names)}
        path.write_text(json.dumps(values) if path.suffix == ".json" else f"{MARK}{release}\nVALUE = 1\n", "utf-8")
    (tree / "z_payload.bin").write_bytes(os.urandom(PAYLOAD))
    return release
