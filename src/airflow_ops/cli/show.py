"""What a person sees while a playbook runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Protocol

from airflow_ops.cli.watch import HostState, Watch

if TYPE_CHECKING:
    from rich.console import RenderableType

ROWS = 24  # hosts in the live table; more would not fit
REFRESH = 4  # times a second
COLOURS = {"unreachable": "red", "failed": "red", "changed": "yellow", "ok": "green", "waiting": "dim"}
RANK = ("failed", "unreachable", "changed", "ok", "waiting")


class View(Protocol):
    """Shows a run."""

    def begin(self, heading: str, watch: Watch) -> None:
        """Start to show."""

    def event(self, said: list[str]) -> None:
        """Show the next event, which the watch has seen already; `said` are its lines, without secrets."""

    def end(self) -> None:
        """Stop to show."""


class Silent:
    """Shows nothing."""

    def begin(self, heading: str, watch: Watch) -> None:
        """Start to show."""

    def event(self, said: list[str]) -> None:
        """Show the next event."""

    def end(self) -> None:
        """Stop to show."""


class Plain:
    """Writes a line for each task, each step of a long one, and each host that fails."""

    def __init__(self, out: IO[str], verbose: bool = False) -> None:
        self.out, self.verbose = out, verbose
        self._watch = Watch()
        self._task = self._activity = ""
        self._failures = 0

    def begin(self, heading: str, watch: Watch) -> None:
        """Write the heading."""
        self._watch = watch
        self._say(heading)

    def event(self, said: list[str]) -> None:
        """Write what is new."""
        if self.verbose:
            for line in said:
                self._say(line)
            return
        watch = self._watch
        if watch.task != self._task:
            self._task = watch.task
            self._say(self._task)
        if watch.activity != self._activity:
            self._activity = watch.activity
            if self._activity:
                self._say(f"  {self._activity}")
        for failure in watch.failures[self._failures :]:
            self._say(f"  {failure.host} {failure.kind or 'failed'}")
        self._failures = len(watch.failures)

    def end(self) -> None:
        """There is nothing to take down."""

    def _say(self, line: str) -> None:
        if line:
            with suppress(OSError):  # a terminal that is gone must not end the run
                print(f"{time.strftime('%H:%M:%S')}  {line}", file=self.out, flush=True)


class Live:
    """Keeps a table of the hosts up to date."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 (slow to import, and only a terminal needs it)
        from rich.live import Live as RichLive  # noqa: PLC0415 (slow as well)

        self._heading, self._watch = "", Watch()
        console = Console(file=sys.stderr)
        self._live = RichLive(
            console=console,
            refresh_per_second=REFRESH,
            transient=True,
            get_renderable=self._table,
            redirect_stdout=False,
        )

    def begin(self, heading: str, watch: Watch) -> None:
        """Draw the table."""
        self._heading, self._watch = heading, watch
        self._live.start()

    def event(self, said: list[str]) -> None:
        """The table is drawn by the clock, not by events."""

    def end(self) -> None:
        """Take the table away; the summary follows."""
        self._live.stop()

    def _table(self) -> RenderableType:
        from rich.table import Table  # noqa: PLC0415 (slow as well)
        from rich.text import Text  # noqa: PLC0415 (slow as well; names and steps are no markup)

        watch, seconds = self._watch, time.monotonic() - self._watch.begun
        doing = watch.activity or watch.task
        table = Table(
            title=Text(f"{self._heading}   {seconds:.0f} s"),
            caption=Text(doing), title_justify="left", caption_justify="left", expand=True, box=None,
        )  # fmt: skip
        for name in ("host", "state", "tasks", "doing"):
            table.add_column(name, no_wrap=True, ratio=1 if name == "doing" else None)
        for name, host in rows(watch):
            last = Text(host.doing) if host.doing else Text(host.last, style="dim")
            table.add_row(Text(name), Text(host.word, style=COLOURS[host.word]), str(host.ok + host.failed), last)
        return table


def rows(watch: Watch) -> list[tuple[str, HostState]]:
    """Return the hosts to draw: when there are too many, those that failed or work come first."""
    hosts = sorted(watch.hosts.items())
    if len(hosts) > ROWS:
        hosts.sort(key=lambda item: (RANK.index(item[1].word), not item[1].doing, item[0]))
    return hosts[:ROWS]


def view(as_json: bool, verbosity: int) -> View:
    """Return how to show a run here; a program that reads JSON still sees the progress on stderr."""
    if not as_json and not verbosity and sys.stderr.isatty():
        return Live()
    return Plain(sys.stderr, verbose=verbosity > 0)
