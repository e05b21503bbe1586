"""One run of ansible-playbook by ansible-runner, in a folder of its own that nothing outlives."""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from airflow_ops.cli.environments import REPOSITORY
from airflow_ops.cli.watch import Event

FIRST_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Each further request is less kind; the last one ends ansible-playbook without its consent.
KINDNESS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 5.0  # seconds before the next one: Ansible loses an interruption that meets it while it starts a worker
TEMPLATE = re.compile(r"{[{%#]")
KILLED = 1  # ansible-playbook has no exit code when a signal ended it


@dataclass(frozen=True)
class Job:
    """What is to be run."""

    playbook: str
    inventories: tuple[Path, ...]
    variables: Mapping[str, Any] = field(default_factory=dict)
    limit: str = ""
    check: bool = False
    diff: bool = False
    verbosity: int = 0

    def arguments(self) -> list[str]:
        """Return the options of ansible-playbook; variables travel in a file, so that nobody reads them in a list."""
        pairs = [("--inventory", str(path)) for path in self.inventories]
        pairs += [("--limit", self.limit)] if self.limit else []
        switches = [name for name, wanted in (("--check", self.check), ("--diff", self.diff)) if wanted]
        verbose = [f"-{'v' * self.verbosity}"] if self.verbosity else []
        return [*(part for pair in pairs for part in pair), *switches, *verbose]


class Playbook:
    """A job that runs, and can be asked to stop."""

    def __init__(self, job: Job, on_event: Callable[[Event], None]) -> None:
        self.job, self.on_event = job, on_event
        self.asked = 0  # how often somebody asked to stop
        self._pid = 0
        self._insist: threading.Timer | None = None

    @property
    def interrupted(self) -> bool:
        return self.asked > 0

    def run(self) -> int:
        """Run to the end and return the exit code of ansible-playbook.

        ansible-runner works in a thread: it kills its child on a signal, and Ansible needs a moment to stop cleanly.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._run()
        codes: list[int] = []
        problems: list[BaseException] = []

        def work() -> None:
            try:
                codes.append(self._run())
            except BaseException as problem:  # raised again below
                problems.append(problem)

        thread = threading.Thread(target=work)
        with self._signals():
            thread.start()
            thread.join()
        if self._insist:
            self._insist.cancel()
        if problems:
            raise problems[0]
        return codes[0]

    def stop(self) -> None:
        """Ask the run to stop; repeated, less kindly."""
        self.asked += 1
        self._tell()
        if self.asked < len(KINDNESS):
            self._insist = threading.Timer(PATIENCE, self.stop)
            self._insist.daemon = True
            self._insist.start()

    def _run(self) -> int:
        import ansible_runner  # noqa: PLC0415 (the help needs none)

        with TemporaryDirectory(prefix="airflow-ops-") as folder:
            done = ansible_runner.run(
                private_data_dir=folder,
                project_dir=str(REPOSITORY),
                playbook=str(REPOSITORY / self.job.playbook),
                cmdline=shlex.join(self.job.arguments()),
                extravars=plain(dict(self.job.variables)) or None,
                envvars=environment(os.environ),
                settings={"suppress_ansible_output": True, "suppress_output_file": True},
                event_handler=self._event,
                cancel_callback=lambda: self.asked > len(KINDNESS),
                quiet=True,
            )
        return KILLED if done.rc is None else int(done.rc)

    def _event(self, event: dict[str, Any]) -> bool:
        pid = event.get("pid")
        if pid and not self._pid:
            self._pid = int(pid)
            if self.asked:
                self._tell()
        self.on_event(event)
        return False  # no file of it

    def _tell(self) -> None:
        if self._pid and self.asked <= len(KINDNESS):
            try:
                os.kill(self._pid, KINDNESS[self.asked - 1])
            except ProcessLookupError:
                return  # it has ended meanwhile

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                leave_terminal()
                if self.asked:  # the shell and the kernel both say it
                    return
            self.stop()

        # nohup has decided already what a lost session means
        heeded = [number for number in FIRST_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, handle) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def plain(value: Any) -> Any:
    """Return a value in which Ansible takes no text for a template: the conf of a DAG may hold braces of its own."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"__ansible_unsafe": value} if isinstance(value, str) and TEMPLATE.search(value) else value


def leave_terminal() -> None:
    """Write to nowhere instead of a terminal that is gone, where each line would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.dup2(nowhere, number)
    os.close(nowhere)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what ansible-playbook needs beside the caller's own environment."""
    callbacks = [variables.get("ANSIBLE_CALLBACK_PLUGINS", ""), str(REPOSITORY / "callback_plugins")]
    return {
        "ANSIBLE_CONFIG": variables.get("ANSIBLE_CONFIG") or str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        # ansible-runner sets both of these itself, and so would switch off what ansible.cfg says
        "ANSIBLE_CALLBACK_PLUGINS": ":".join(filter(None, callbacks)),
        "ANSIBLE_HOST_KEY_CHECKING": variables.get("ANSIBLE_HOST_KEY_CHECKING") or "True",
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error",  # a misspelt host in a limit is a refusal, not less work
        "PATH": ":".join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)]),
    }
