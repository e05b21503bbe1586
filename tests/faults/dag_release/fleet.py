"""The hosts of the fault tests: what is live there, seen from outside, and what can be done to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import cgroup, disk, network, process_tree
from lab.cluster import cut_power
from lab.host import disk_of
from lab.plain_cluster import HOME, PlainCluster, environment
from lab.settings import REPOSITORY
from tests.faults.dag_release import source

PROGRESS = "dag_release: "
TRIES = 5
POLL = 0.0005  # seconds; between two moments of a switch is not much more


class Delivery:
    """A run of deploy_dags.yml as a process of its own."""

    def __init__(self, cluster: PlainCluster, tree: Path, *more: str) -> None:
        argv = cluster.argv("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}", *more)
        # Plain hosts have no Airflow that could parse.
        self.process = subprocess.Popen(
            [*argv, "-e", "dag_release_parse=false"],
            cwd=REPOSITORY, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self.output = ""

    def until(self, phase: str) -> None:
        """Wait for the moment in which the run says that a phase begins."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if line.startswith(PROGRESS + phase):
                return
        raise AssertionError(f"the run never came to {phase!r}:\n{self.output}")

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        self.output += self.process.communicate()[0]
        return self.process.returncode

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Hold the controller's side."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        for pid in process_tree.family(self.process.pid):
            with contextlib.suppress(ProcessLookupError):  # one that has ended meanwhile
                os.kill(pid, number)

    def kill(self) -> None:
        """End the controller's side at once: the playbook, its workers, their ssh."""
        process_tree.kill(self.process.pid)
        self.process.wait()

    @property
    def text(self) -> str:
        """What the run has said, in one line."""
        return " ".join(self.output.split())


@dataclass
class Fleet:
    """The plain cluster, and the tree from which the tests deliver."""

    cluster: PlainCluster
    tree: Path

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.cluster.hosts

    def root(self, host: str) -> Path:
        """Return the root of a host as this machine sees it, also of one that is cut off or frozen."""
        return disk_of(self.cluster.settings, host).root

    def home(self, host: str) -> Path:
        return self.root(host) / HOME[1:]

    def live_on(self, host: str) -> str | None:
        """Return the id of the release that is live on a host."""
        link = self.home(host) / "dags"
        return link.readlink().name if link.is_symlink() else None

    def live(self) -> dict[str, str | None]:
        return {host: self.live_on(host) for host in self.hosts}

    def have_switched(self, hosts: Iterable[str], before: Mapping[str, str | None]) -> bool:
        """Say whether on all these hosts something else is live than before."""
        return all(self.live_on(host) != before[host] for host in hosts)

    def release_on(self, host: str) -> str:
        """Return what the live tree of a host says it is."""
        count = self.home(host) / "dag_releases" / str(self.live_on(host)) / "COUNT.json"
        return str(json.loads(count.read_text("utf-8"))["release"])

    def staging(self, host: str) -> Path | None:
        """Return the folder that is being staged on a host."""
        return next(self.home(host).glob("dag_releases/.staging-*/dags"), None)

    def start(self, *more: str) -> Delivery:
        return Delivery(self.cluster, self.tree, *more)

    def deliver(self, *more: str) -> Delivery:
        """Deliver and return the run after its end."""
        delivery = self.start(*more)
        delivery.end()
        return delivery

    def cut(self, host: str) -> None:
        network.plug(self.cluster.settings, host, connected=False)

    def deliver_well(self, *more: str) -> Delivery:
        """Deliver; all hosts must hold the tree afterwards, under one id."""
        delivery = self.deliver(*more)
        assert delivery.process.returncode == 0, delivery.output
        assert len(set(self.live().values())) == 1, self.live()
        wanted = json.loads((self.tree / "COUNT.json").read_text("utf-8"))["release"]
        assert {self.release_on(host) for host in self.hosts} == {wanted}
        return delivery

    def heal(self, host: str) -> None:
        network.plug(self.cluster.settings, host, connected=True)

    def kill(self, host: str) -> None:
        """Cut the power of a host."""
        cut_power(self.cluster.settings, host)

    def boot(self, host: str) -> None:
        subprocess.run([REPOSITORY / "lab/lab", "up", host], check=True, stdout=subprocess.DEVNULL)

    def fill(self, host: str) -> None:
        disk.fill(disk_of(self.cluster.settings, host))

    def free(self, host: str) -> None:
        disk.free(disk_of(self.cluster.settings, host))

    @contextlib.contextmanager
    def frozen(self, host: str) -> Iterator[None]:
        """Hold all processes of a host."""
        cgroup.freeze(self.cluster.settings.name, host, True)
        try:
            yield
        finally:
            cgroup.freeze(self.cluster.settings.name, host, False)

    @contextlib.contextmanager
    def disk_held(self, host: str) -> Iterator[None]:
        """Let everybody on a host who writes to its disk wait."""
        data = disk_of(self.cluster.settings, host).data
        subprocess.run(["fsfreeze", "--freeze", data], check=True)
        try:
            yield
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", data], check=True)

    @contextlib.contextmanager
    def unread(self) -> Iterator[None]:
        """Stop the readers while the live tree is nothing that they could take for whole."""
        self.cluster.everywhere("sudo systemctl stop reader")
        try:
            yield
        finally:
            self.deliver_well()
            self.cluster.everywhere(
                "sudo rm -f /run/reader/passes; sudo systemctl start reader; "
                "until [ -e /run/reader/passes ]; do sleep 0.1; done"
            )

    @contextlib.contextmanager
    def half_switched(self) -> Iterator[tuple[Delivery, dict[str, str | None]]]:
        """Hold the scheduler in a switch that all workers have done already; yield the run and what was live before.

        The moment is short; one that was missed is tried again.
        """
        scheduler, workers = self.cluster.scheduler, self.cluster.workers
        for _ in range(TRIES):
            before = self.live()
            run = self.start()
            run.until("activate")
            with self.frozen(scheduler):
                wait_for(partial(self.have_switched, workers, before), 30, "all workers switch")
                if self.live_on(scheduler) == before[scheduler]:
                    yield run, before
                    return
            run.end()
            source.renew(self.tree)
        raise AssertionError("each fault came too late to prove anything")


def wait_for(true: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL)
