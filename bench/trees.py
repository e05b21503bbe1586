"""The trees that are delivered: folders of packages, most files small programs, as on a real node."""

from __future__ import annotations

import random
from pathlib import Path

MEAN_SIZE = 3500  # bytes: 600 files are 2 MB in all
PACKAGE = 20  # files in a folder
HEADER = '"""Program {number} of the benchmark."""\n'


def make(folder: Path, files: int) -> None:
    """Write so many files to the new folder; the same number gives the same tree."""
    dice = random.Random(files)
    for number in range(files):
        place = folder / f"PROC_{number // (5 * PACKAGE):03}" / f"PKG_{number // PACKAGE % 5}" / f"PR_{number:05}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text(number, dice), encoding="utf-8")


def text(number: int, dice: random.Random) -> str:
    """Return a Python file that compiles, of about the mean size; no two are alike, and gzip cannot fold them away."""
    size = dice.randint(MEAN_SIZE // 2, MEAN_SIZE * 3 // 2)
    lines = [HEADER.format(number=number)]
    while sum(map(len, lines)) < size:
        lines.append(f"VALUE_{len(lines)} = '{dice.randbytes(36).hex()}'\n")
    return "".join(lines)


def touch(folder: Path, number: int) -> str:
    """Change one file so that its size stays; return its path below the folder."""
    path = sorted(folder.rglob("*.py"))[0]
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text(lines[0] + f"VALUE_1 = '{number:072}'\n" + "".join(lines[2:]), encoding="utf-8")
    return path.relative_to(folder).as_posix()
