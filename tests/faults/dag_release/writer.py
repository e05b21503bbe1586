"""Runs on a host as a task that never rests: it keeps its state and its logs in files below the live dags folder.

Whatever it does by a path it does through the link, as tasks do. A file that is not as it was left is written down.
"""

import itertools
import sys
import time
from pathlib import Path

PAUSE = 0.01  # seconds between two turns


class Changed(Exception):
    """A file that is not as it was left."""


def append(path: Path, turn: int) -> None:
    """Add a line to a file that is opened anew."""
    with path.open("a") as file:
        file.write(f"{turn}\n")


def count(path: Path, turn: int) -> None:
    """Read the last state and put the next one in its place, as careful programs do."""
    if turn and path.read_text() != f"{turn - 1}":
        raise Changed(f"{path} says {path.read_text()} and not {turn - 1}")
    new = path.with_name(f"{path.name}.tmp")
    new.write_text(f"{turn}")
    new.replace(path)


def come_and_go(folder: Path, turn: int) -> None:
    """Make a folder with a file in every turn, and remove that of the turn before."""
    old, new = folder / f"run_{turn - 1}", folder / f"run_{turn}"
    new.mkdir()
    (new / "file").touch()
    if turn:
        (old / "file").unlink()
        old.rmdir()


def main(dags: Path, beside: Path, wrong: Path) -> None:
    """Work for ever; `beside` is a folder of the release, below which files have other files beside them."""
    state = dags / "state"
    state.mkdir()
    with (state / "open.log").open("a", buffering=1) as one, (beside / "open.log").open("a", buffering=1) as other:
        for turn in itertools.count():
            try:
                one.write(f"{turn}\n")
                other.write(f"{turn}\n")
                append(state / "ticks.txt", turn)
                append(beside / "ticks.txt", turn)
                count(state / "last.txt", turn)
                come_and_go(state, turn)
            except (OSError, Changed) as error:
                with wrong.open("a") as file:
                    file.write(f"{turn}: {error!r}\n")
            (wrong.parent / "turns").write_text(f"{turn}\n")
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
