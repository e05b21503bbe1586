"""What came of a run: its exit code, from what was seen of the hosts."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """How a run ended; the values are the exit codes."""

    DONE = 0
    FAILED = 2
    UNREACHABLE = 3
    PARTLY = 4
    REFUSED = 5
    LOCKED = 6
    WARNING = 7
    INTERRUPTED = 130

    @property
    def words(self) -> str:
        """Return the outcome as people read it."""
        return {
            Outcome.DONE: "done",
            Outcome.FAILED: "failed",
            Outcome.UNREACHABLE: "hosts could not be reached",
            Outcome.PARTLY: "partly done",
            Outcome.REFUSED: "refused",
            Outcome.LOCKED: "locked by another run",
            Outcome.WARNING: "only warnings",
            Outcome.INTERRUPTED: "interrupted",
        }[self]


# Kinds of failure as modules report them in `failure`.
KINDS = {"refused": Outcome.REFUSED, "locked": Outcome.LOCKED, "unreachable": Outcome.UNREACHABLE}
