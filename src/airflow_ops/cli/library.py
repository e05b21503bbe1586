"""Run a verb from Python, as CI and schedulers do: ``from airflow_ops import run``."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import IO, Any

from airflow_ops.cli.environments import REPOSITORY, find
from airflow_ops.cli.outcome import Outcome
from airflow_ops.cli.playbook import Job, Playbook
from airflow_ops.cli.records import Record, Records, new_id, state_folder
from airflow_ops.cli.secrets import Scrubber, hidden, secrets
from airflow_ops.cli.show import Silent, View
from airflow_ops.cli.values import BadValue, limit
from airflow_ops.cli.verbs import BY_NAME, Verb
from airflow_ops.cli.watch import Event, Failure, HostState, Watch, log_lines


@dataclass(frozen=True)
class Order:
    """A verb with all that was said about it."""

    verb: Verb
    environment: str = "dev"
    variables: Mapping[str, Any] = field(default_factory=dict)
    limit: str = ""
    check: bool = False
    verbosity: int = 0

    @property
    def environments(self) -> tuple[str, ...]:
        """Return the environments that take part, the one that changes last."""
        if not self.verb.both:
            return (self.environment,)
        source, target = self.verb.both
        return (self.variables.get(source.variable, "prod"), self.variables.get(target.variable, "dev"))

    @property
    def heading(self) -> str:
        """Return the order in words."""
        where = " -> ".join(self.environments)
        only = f" -l {self.limit}" if self.limit else ""
        return f"{self.verb.name} on {where}{only}{' (preview)' if self.check else ''}"


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    verb: str
    environment: str
    outcome: Outcome
    seconds: float
    hosts: Mapping[str, HostState]
    failures: tuple[Failure, ...]
    messages: tuple[str, ...]
    diff: tuple[str, ...]
    reasons: tuple[str, ...]  # why it did not succeed, a line each
    task: str  # the last one that began
    record: str  # the id for `airflow-ops runs show`
    digest: str = ""  # of what a preview showed, when the playbook says so

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command."""
        return int(self.outcome)

    @property
    def changed(self) -> list[str]:
        """Return the hosts on which something changed."""
        return sorted(name for name, host in self.hosts.items() if host.changed)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        hosts = {
            name: {"state": host.word, "ok": host.ok, "changed": host.changed, "failed": host.failed, "last": host.last}
            for name, host in sorted(self.hosts.items())
        }
        return {
            "verb": self.verb,
            "environment": self.environment,
            "outcome": self.outcome.name.lower(),
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 2),
            "hosts": hosts,
            "failures": [asdict(failure) for failure in self.failures],
            "reasons": list(self.reasons),
            "messages": list(self.messages),
            "diff": list(self.diff),
            "record": self.record,
        }


def run(
    verb: str,
    environment: str = "dev",
    *,
    variables: Mapping[str, Any] | None = None,
    limit: str = "",
    check: bool = False,
) -> Result:
    """Run a verb and return what came of it; nobody is asked.

    :param verb: a verb of ``airflow-ops --help``, as ``deploy`` or ``watchdog pause``.
    :param environment: a folder of inventories/; production must be named.
    :param variables: variables of the playbook by name.
    :param limit: hosts or groups, as ansible-playbook's ``--limit``.
    :param check: only preview.
    :raises BadValue: when the order itself is wrong; no host was touched.
    """
    if verb not in BY_NAME:
        raise BadValue(f"there is no verb {verb!r}; choose from {', '.join(BY_NAME)}.")
    return execute(Order(BY_NAME[verb], environment, dict(variables or {}), limit, check))


def execute(order: Order, view: View | None = None, keep: bool = True) -> Result:
    """Carry an order out; `keep` writes a record."""
    environments = [find(name, os.environ) for name in order.environments]
    check_order(order)
    job = Job(
        playbook=order.verb.playbook,
        inventories=tuple(path for environment in environments for path in environment.inventories),
        variables=order.variables,
        limit=order.limit or order.verb.limit,
        check=order.check,
        diff=order.check,
        verbosity=order.verbosity,
    )
    with ExitStack() as stack:
        record = new_record(order)
        records = Records(state_folder(os.environ))
        log = stack.enter_context(begin(records, record)) if keep else None
        result = follow(order, job, view or Silent(), log, record.id if keep else "")
        if keep:
            finish(record, result)
            records.save(record)
    return result


def check_order(order: Order) -> None:
    """Refuse an order that cannot be carried out."""
    if order.limit:
        limit(order.limit)
    if not (REPOSITORY / order.verb.playbook).exists():
        raise BadValue(f"{order.verb.playbook} is not part of this version of the repository.")


def follow(order: Order, job: Job, view: View, log: IO[str] | None, record: str) -> Result:
    """Run the playbook, show it, and write its log."""
    scrub, begun = Scrubber(order.variables), time.monotonic()
    watch = Watch(scrub=scrub)

    def take(event: Event) -> None:
        watch.take(event)
        said = [scrub(line) for line in log_lines(event)]
        view.event(said)
        if log:
            log.writelines(f"{line}\n" for line in said)

    playbook = Playbook(job, take)
    view.begin(order.heading, watch)
    try:
        code = playbook.run()
    finally:
        view.end()
    return Result(
        verb=order.verb.name,
        environment=order.environments[-1],
        outcome=watch.judge(code, playbook.interrupted),
        seconds=time.monotonic() - begun,
        hosts=watch.hosts,
        failures=tuple(Failure(one.host, one.role, one.task, scrub(one.message), one.kind) for one in watch.failures),
        messages=tuple(map(scrub, watch.messages)),
        diff=tuple(map(scrub, watch.diffs)),
        reasons=tuple(map(scrub, watch.reasons(playbook.interrupted))),
        task=watch.task,
        record=record,
        digest=watch.digest,
    )


def begin(records: Records, record: Record) -> IO[str]:
    """Begin a record; a state folder that cannot be written stops the run before it begins."""
    try:
        return records.new(record)
    except OSError as error:
        raise BadValue(
            f"the folder of records {records.folder} cannot be written ({error.strerror}); set AIRFLOW_OPS_STATE."
        ) from error


def new_record(order: Order) -> Record:
    """Return the record of a run that begins."""
    now = datetime.now(timezone.utc)
    return Record(
        id=new_id(now),
        who=getpass.getuser(),
        where=socket.gethostname(),
        started=now.isoformat(timespec="seconds"),
        environment=order.environment,
        verb=order.verb.name,
        variables=hidden(order.variables),
        limit=order.limit,
        check=order.check,
        resumable=not any(True for _ in secrets(order.variables)),
    )


def finish(record: Record, result: Result) -> None:
    """Note what came of a run."""
    plain = result.as_dict()
    record.seconds, record.outcome, record.exit_code = plain["seconds"], plain["outcome"], plain["exit_code"]
    record.hosts, record.failures, record.messages = plain["hosts"], plain["failures"], plain["messages"]
