"""What a run says of itself: the events of ansible-runner, one by one, become the state of its hosts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_ops.cli.outcome import KINDS, Outcome

Event = Mapping[str, Any]
# Checks of what was typed and of the inventory. A run that stops in one before any other task has touched no host.
SPEC = "ansible.builtin.validate_argument_spec"
CHECKS = (SPEC, "ansible.builtin.assert", "ansible.builtin.debug", "preflight_inventory")
RESULTS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped")
# Lines of Ansible and its callbacks that say nothing about the work.
NOISE = re.compile(r"^(\s*$|(PLAY|TASK|PLAYBOOK|RUNNING HANDLER)\b|Playbook run took |Environments?: )")
SEVERITY = "drift_severity"  # a statistic of drift.yml
DAG_RUN = "airflow_dag_run"  # the module whose failure comes with the logs of tasks
# What ansible-core puts before a message; the line says already that a task failed.
PREFIX = re.compile(r"^((Task|Action|Module) failed: )+")
ERROR = re.compile(r"^\[?ERROR\]?!?:? ", re.M)


@dataclass
class HostState:
    """What is known of one host."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    doing: str = ""
    last: str = ""  # the last task that ended here

    @property
    def word(self) -> str:
        """Return the state in a word."""
        if self.unreachable:
            return "unreachable"
        if self.failed:
            return "failed"
        return "changed" if self.changed else "ok" if self.ok else "waiting"


@dataclass(frozen=True)
class Failure:
    """Why a host did not do its part."""

    host: str
    role: str
    task: str
    message: str
    kind: str = ""

    def line(self) -> str:
        """Return all of it in one line."""
        return ": ".join(part for part in (self.host, self.role, self.task, self.message) if part)


@dataclass
class Watch:
    """The state of a run."""

    hosts: dict[str, HostState] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)  # what the playbook shows its user
    diffs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # before any task
    digest: str = ""  # of what a task would do, when it says so
    severity: str = ""  # of the worst that a look at the hosts found, as the playbook's statistics say
    task: str = ""
    activity: str = ""  # a line of an action that does many things
    touched: bool = False  # a task has begun that is more than a check
    begun: float = field(default_factory=time.monotonic)
    scrub: Callable[[str], str] = str  # takes secrets out of what is shown while it runs

    def take(self, event: Event) -> None:
        """Take the next event into account."""
        kind, data = event.get("event", ""), event.get("event_data") or {}
        if kind in RESULTS:
            self._result(kind, data)
        elif kind == "runner_on_start":
            self._host(data).doing = self.task
        elif kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
            self.task, self.activity = title(data), ""
            self.touched |= data.get("task_action") not in CHECKS
        elif kind == "runner_on_file_diff":
            shown = [line for line in lines(event) if not NOISE.match(line)]
            self.diffs += [f"{title(data)} on {data.get('host', '')}", *shown]
        elif kind == "runner_item_on_ok":
            self._show(data)
        elif kind == "playbook_on_stats":
            self.severity = str((data.get("artifact_data") or {}).get(SEVERITY, ""))
        elif kind in ("verbose", "warning", "deprecated", "error", "system_warning"):
            self._line(event)

    def judge(self, code: int, interrupted: bool = False) -> Outcome:
        """Return the outcome of a run that ended with an exit code of ansible-playbook."""
        if code == 0:
            return Outcome.DONE  # also when somebody asked to stop in the last moment
        if interrupted:
            return Outcome.INTERRUPTED
        bad = [host for host in self.hosts.values() if host.failed or host.unreachable]
        if any(host.changed for host in self.hosts.values() if host not in bad):
            return Outcome.PARTLY
        kinds = {KINDS.get(failure.kind) for failure in self.failures}
        for kind in (Outcome.LOCKED, Outcome.REFUSED, Outcome.UNREACHABLE):
            if kind in kinds:
                return kind
        if self.severity == "warning":
            return Outcome.WARNING
        return Outcome.FAILED if self.touched else Outcome.REFUSED

    def bad_hosts(self) -> list[str]:
        """Return the hosts that did not do their part."""
        return sorted(name for name, host in self.hosts.items() if host.failed or host.unreachable)

    def reasons(self, interrupted: bool = False) -> list[str]:
        """Return one line for each failed host, or what Ansible said before there was one.

        :param interrupted: what Ansible says of an interruption is no reason.
        """
        said = [] if interrupted else self.errors
        return list(dict.fromkeys([failure.line() for failure in self.failures] or said))

    def _host(self, data: Mapping[str, Any]) -> HostState:
        return self.hosts.setdefault(str(data.get("host", "")), HostState())

    def _result(self, kind: str, data: Mapping[str, Any]) -> None:
        host, result = self._host(data), data.get("res") or {}
        host.doing, host.last = "", title(data)
        self.digest = str(result.get("digest") or self.digest)
        if kind == "runner_on_ok":
            host.ok += 1
            host.changed += bool(result.get("changed"))
            self._show(data)
        elif kind == "runner_on_unreachable":
            host.unreachable += 1
            self._fail(data, "unreachable")
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            why = str(result.get("failure") or ("" if self.touched else "refused"))
            # One action for many hosts runs on the first one, and names those that are to blame.
            blamed = [str(name) for name in result.get("failed_hosts") or [data.get("host", "")]]
            for state in (self._host({"host": name}) for name in blamed):
                state.unreachable += why == "unreachable"
                state.failed += why != "unreachable"
            self._fail({**data, "host": ", ".join(blamed)}, why)
            if data.get("task_action") == DAG_RUN:
                self._logs(result.get("failures") or ())

    def _fail(self, data: Mapping[str, Any], kind: str) -> None:
        role, task = str(data.get("role", "")), str(data.get("task", ""))
        text = message(data.get("res") or {})
        self.failures.append(Failure(str(data.get("host", "")), role, task, text, kind))

    def _logs(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        """Show the ends of the logs of the tasks that failed in a DAG run."""
        for task in tasks:
            self.messages.append(f"{task['task']} on {task['host'] or 'no host'}:")
            self.messages += [f"  {line}" for line in task["log"]]

    def _show(self, data: Mapping[str, Any]) -> None:
        result = data.get("res") or {}
        if result.get("_ansible_verbose_always") and "msg" in result:
            said = result["msg"]
            self.messages += [str(line) for line in said] if isinstance(said, list) else str(said).splitlines()

    def _line(self, event: Event) -> None:
        for line in lines(event):
            if ERROR.match(line):
                self.errors.append(ERROR.sub("", line))
            elif line.startswith(("[WARNING]", "[DEPRECATION")):
                self.warnings.append(line)
            elif not NOISE.match(line):
                self.activity = self.scrub(line)


def title(data: Mapping[str, Any]) -> str:
    """Return the name of a task as Ansible shows it, without the text of an argument spec."""
    if data.get("task_action") == SPEC:
        return f"{data.get('role', 'playbook')} : check the variables"
    return " : ".join(str(data[key]) for key in ("role", "task") if data.get(key))


def lines(event: Event) -> list[str]:
    """Return what an event printed, without the line ends of a terminal."""
    return str(event.get("stdout") or "").replace("\r", "").splitlines()


def message(result: Mapping[str, Any]) -> str:
    """Return why a task failed, in one line."""
    if "censored" in result:
        return "it failed, and its message is hidden because it may hold a secret"
    loop = [message(item) for item in result.get("results") or () if isinstance(item, dict) and item.get("failed")]
    said = loop[0] if loop else result.get("msg") or result.get("stderr") or result.get("module_stderr") or "no message"
    text = "; ".join(map(str, said)) if isinstance(said, list) else str(said)
    return PREFIX.sub("", " ".join(text.split()))


def log_lines(event: Event) -> list[str]:
    """Return the lines of an event for the record: Ansible prints the message of a hidden failure beside it."""
    data = event.get("event_data") or {}
    if "censored" in (data.get("res") or {}) and event.get("event") != "runner_on_ok":
        return [f"{data.get('host', '')}: {title(data)}: {message(data['res'])}"]
    return lines(event)
