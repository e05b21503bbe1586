"""Running programs, with one-sentence errors."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError


def run(command: Sequence[str | Path], *, ok: Sequence[int] = (0,)) -> str:
    """Run ``command`` and return its standard output; an exit code outside ``ok`` is a LabError."""
    result = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if result.returncode not in ok:
        said = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
        raise LabError(f"'{' '.join(map(str, command))}' ended with {result.returncode}: {said}")
    return result.stdout


def run_logged(command: Sequence[str | Path], log: Path) -> None:
    """Run a long ``command`` with all its output in the file ``log``, which the error names."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        code = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        ).returncode
    if code != 0:
        raise LabError(f"'{command[0]}' ended with {code}, see {log}.")
