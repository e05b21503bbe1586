"""One run measured: seconds, bytes that crossed the lab's network, memory of all its processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import process_tree

POLL = 0.2  # seconds between two looks at the memory


class BenchError(Exception):
    """A run that failed although it was not stopped; one sentence."""


@dataclass(frozen=True)
class Run:
    """What a run cost; `seconds` is None when it was stopped at the limit, `memory` when nobody looked."""

    seconds: float | None
    wire: int
    memory: int | None = None


def measure(argv: Sequence[str], variables: dict[str, str], bridge: str, limit: float, look: bool = False) -> Run:
    """Run a command with a home of its own, so that no connection is open yet, and measure it.

    `look` samples the memory, which costs time: such a run is not for its seconds.
    """
    with TemporaryDirectory(prefix="b.") as home, Path(home, "output").open("w+b") as output:
        begin, before = time.monotonic(), crossed(bridge)
        process = subprocess.Popen(
            argv, env={**os.environ, **variables, "HOME": home}, stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        try:
            memory = watch(process, begin + limit, look)
            seconds = time.monotonic() - begin
            wire = crossed(bridge) - before
        finally:
            end(process)
            close_connections(Path(home))
        if memory is not None and process.returncode:
            output.seek(0)
            raise BenchError(
                f"{argv[0]} ended with {process.returncode}: {output.read().decode(errors='replace')[-2000:]}"
            )
    return Run(None if memory is None else seconds, wire, memory if look else None)


def watch(process: subprocess.Popen[bytes], until: float, look: bool) -> int | None:
    """Wait for the end of a process and return the most memory that it and its descendants had; None: it is late."""
    most = 0
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return None
        try:
            process.wait(min(left, POLL) if look else left)
            return most
        except subprocess.TimeoutExpired:
            most = max(most, sum(map(memory_of, process_tree.family(process.pid)))) if look else 0


def memory_of(pid: int) -> int:
    """Return the bytes of a process; what it shares with others is divided among them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with its descendants."""
    if process.poll() is None:
        process_tree.kill(process.pid)
    process.wait()


def close_connections(home: Path) -> None:
    """End the ssh connections that a run left open for the next one."""
    for path in sockets(home):
        subprocess.run(["ssh", "-S", path, "-O", "exit", "any"], capture_output=True, check=False)


def sockets(home: Path) -> Iterator[Path]:
    """Yield the control sockets below a home."""
    yield from (path for path in home.glob(".ansible/cp/*") if path.is_socket())


def crossed(bridge: str) -> int:
    """Return the bytes that went between the controller and all hosts, both ways."""
    counters = Path("/sys/class/net", bridge, "statistics")
    return sum(int((counters / name).read_text()) for name in ("rx_bytes", "tx_bytes"))
