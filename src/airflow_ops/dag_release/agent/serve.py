"""Answer the controller's requests, one JSON line each, as long as it shows signs of life.

What was activated and not committed is put back when the controller is gone: at once when its connection ends, after
`SILENCE` seconds when nothing is heard. So a run that is killed or cut off leaves the host on what it had.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from airflow_ops.dag_release.agent import behind, beside, live, look, parse, stage
from airflow_ops.dag_release.agent.lock import Lock, describe
from airflow_ops.dag_release.agent.place import AgentError, Place
from airflow_ops.dag_release.agent.tree import Entry, digest

SILENCE = 60.0  # seconds without a word from the controller; it sends an empty line every ten


class Agent:
    """What one run has done on this host so far."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.verified: dict[str, Entry] = {}
        self.undo: beside.Undo | None = None
        self.activated: str | None = None
        self.replaced: str | None = None  # the release that was live before
        self.staging: Path | None = None
        self.lock: Lock | None = None
        self.preview: Path | None = None
        self.gone = threading.Event()  # the controller is

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry one request out and return what the controller reads."""
        try:
            return self.verb(request["verb"])(**request.get("args", {}))
        except (AgentError, OSError, KeyError) as error:
            return {"error": str(error)}

    def verb(self, name: str) -> Callable[..., dict[str, Any]]:
        """Return what a verb does; those that need the run's memory are methods of this class."""
        plain: dict[str, Callable[..., dict[str, Any]]] = {
            "look": look.look,
            "releases": look.releases,
            "prove": look.prove,
            "outdated": live.outdated,
            "prune": live.prune,
            "keep": stage.keep_all,
            "behind": behind.record,
            "surround": beside.surround,
        }
        if name in plain:
            return lambda **args: plain[name](self.place, **args)
        method: Callable[..., dict[str, Any]] = getattr(self, f"do_{name}")
        return method

    def do_lock(self, path: str, who: str, where: str, what: str) -> dict[str, Any]:
        """Take the lock; the answer names the holder when another run has it."""
        lock = Lock(Path(path))
        holder = lock.take(who, where, what)
        if holder:
            return {"held": describe(holder)}
        self.lock = lock
        return {"held": None, "behind": behind.read(self.place)}

    def do_parse(self, request: dict[str, Any], tree: str, offline: bool) -> dict[str, Any]:
        """Have Airflow load a tree, with the plugins of its own."""
        plugins = beside.plugins_of(self.place, Path(tree))
        return parse.parse({**request, "plugins": plugins}, tree, offline, self.gone)

    def do_begin(self, release_id: str, **tree: Any) -> dict[str, Any]:
        """Begin the tree of a release."""
        self.staging = self.place.staging(release_id)
        return stage.begin(self.place, release_id, **tree)

    def do_preview(self, **tree: Any) -> dict[str, Any]:
        """Begin a tree that is only looked at."""
        folder = stage.preview(self.place, **tree)
        self.preview = Path(folder["staging"])
        return folder

    def do_verify(self, release_id: str) -> dict[str, Any]:
        """Report the digest of what was staged."""
        entries = stage.verify(self.place.staging(release_id))
        self.verified = {entry.path: entry for entry in entries}
        return {"digest": digest(entries)}

    def do_carry(self, release_id: str, unmanaged: str) -> dict[str, Any]:
        """Keep what the new release would lose."""
        return stage.carry(self.place, release_id, unmanaged, self.verified)

    def do_seal(self, release_id: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Turn what was staged into a release."""
        return stage.seal(self.place, release_id, manifest, self.verified)

    def do_activate(self, release_id: str) -> dict[str, Any]:
        """Make a release live, until it is committed or put back."""
        report, self.undo = live.activate(self.place, release_id)
        self.activated, self.replaced = release_id, report["replaced"]
        return report

    def do_commit(self, release_id: str) -> dict[str, Any]:
        """Keep what was activated."""
        self.undo = None
        return live.commit(self.place, release_id, self.replaced)

    def do_back(self) -> dict[str, Any]:
        """Put back what was activated, if anything was."""
        if self.undo and self.place.live_id() == self.activated:  # not what a later run has made live meanwhile
            self.undo()
        self.undo = None  # only now: what failed is tried once more when the agent ends
        return {"live": self.place.live_id()}

    def end(self) -> None:
        """Leave nothing of an unfinished run behind; a part that fails does not keep the others from being done."""
        ends = [self.do_back, self.lock.release if self.lock else None]
        for step in filter(None, ends):
            try:
                step()
            except (AgentError, OSError) as error:
                print(error, file=sys.stderr)
        if self.preview:
            shutil.rmtree(self.preview.parent, ignore_errors=True)
        if self.staging and self.gone.is_set():  # after silence another run may have begun to fill it anew
            shutil.rmtree(self.staging.parent, ignore_errors=True)


def serve(agent: Agent, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the controller is gone."""
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(agent, requests, inbox), daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a step that has begun is ended first
        signal.signal(number, lambda *_: _leave(agent, inbox))
    try:
        while line := _next(inbox):
            answers.write(json.dumps(agent.answer(json.loads(line))).encode() + b"\n")
            answers.flush()
    except BrokenPipeError:
        pass  # nobody reads the answer any more
    finally:
        agent.end()


def _listen(agent: Agent, requests: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on; every line, an empty one too, is a sign of life, and renews the lease."""
    while line := requests.readline():
        if agent.lock and agent.lock.token:
            try:
                agent.lock.renew()
            except (AgentError, OSError):
                break  # another run has the lock: this one must not go on
        inbox.put(line)
    _leave(agent, inbox)


def _leave(agent: Agent, inbox: queue.SimpleQueue[bytes]) -> None:
    agent.gone.set()
    inbox.put(b"")


def _next(inbox: queue.SimpleQueue[bytes]) -> bytes:
    """Return the next request; nothing when the controller is gone or silent."""
    while True:
        try:
            line = inbox.get(timeout=SILENCE)
        except queue.Empty:
            return b""
        if line.strip() or not line:
            return line


def main(place: dict[str, Any]) -> None:
    """Serve on standard input and output, and end without Python's own tidying, which costs more than a look."""
    settings = {**place, "dags": Path(place["dags"])}
    serve(Agent(Place(**settings)), sys.stdin.buffer, sys.stdout.buffer)
    sys.stderr.flush()
    os._exit(0)
