"""The agent as the controller starts it: one program on standard input, then one request a line."""

import ast
import grp
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release.agent.place import Place
from airflow_ops.dag_release.agent.tree import digest, scan
from airflow_ops.dag_release.fleet import START, agent_modules, agent_program

OLD, NEW = "20260101T000000Z-000000000001", "20260102T000000Z-000000000002"
GROUP = grp.getgrgid(os.getgid()).gr_name


class Talk:
    """An agent of this machine."""

    def __init__(self, home: Path) -> None:
        self.place = Place(home / "dags", GROUP)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.write(agent_program({"dags": str(home / "dags"), "group": GROUP}))

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        assert self.process.stdout
        self.write(b"\n" + json.dumps({"verb": verb, "args": args}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def stage(self, release: str, text: str) -> None:
        self.ask("begin", release_id=release, size=0, count=0, files=[])
        (self.place.staging(release) / "a.py").write_text(text)
        verified = self.ask("verify", release_id=release)["digest"]
        assert verified == digest(scan(self.place.staging(release)))
        carried = self.ask("carry", release_id=release, unmanaged="carry")["carried"]
        manifest = {"id": release, "digest": verified, "carried": carried}
        assert self.ask("seal", release_id=release, manifest=manifest) == {}
        assert self.ask("activate", release_id=release)["atomic"]

    def live(self) -> str | None:
        return self.place.live_id()

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    agent = Talk(tmp_path)
    yield agent
    if agent.process.poll() is None:
        agent.process.kill()
        agent.process.wait()


def test_what_is_committed_stays(talk: Talk) -> None:
    talk.stage(NEW, "new")
    talk.ask("commit", release_id=NEW)
    talk.end()
    assert talk.live() == NEW


@pytest.mark.parametrize("end", ["the connection ends", "terminated", "hung up"])
def test_what_is_not_committed_is_put_back_when_the_controller_is_gone(talk: Talk, end: str, tmp_path: Path) -> None:
    talk.stage(OLD, "old")
    talk.ask("commit", release_id=OLD)
    talk.stage(NEW, "new")
    lock = {"path": str(tmp_path / "lock.json"), "who": "me", "where": "here", "what": "x"}
    assert talk.ask("lock", **lock) == {"held": None, "behind": {}}
    assert (talk.live(), (tmp_path / "lock.json").exists()) == (NEW, True)
    if end != "the connection ends":
        talk.process.send_signal(signal.SIGTERM if end == "terminated" else signal.SIGHUP)
        talk.process.wait()
    talk.end()
    assert (talk.live(), (tmp_path / "lock.json").exists()) == (OLD, False)


def test_the_controller_can_put_back_what_it_activated(talk: Talk) -> None:
    talk.stage(NEW, "new")
    assert talk.ask("back") == {"live": None}
    assert not talk.place.dags.is_symlink()


def test_what_was_staged_and_not_sealed_goes_with_the_controller(talk: Talk) -> None:
    staging = Path(talk.ask("begin", release_id=NEW, size=0, count=0, files=[])["staging"])
    (staging / "a.py").write_text("half")
    talk.end()
    assert not staging.exists()


def test_what_a_later_run_has_made_live_is_left_alone(talk: Talk, tmp_path: Path) -> None:
    talk.stage(OLD, "old")
    later = Talk(tmp_path)
    later.stage(NEW, "new")
    later.ask("commit", release_id=NEW)
    later.end()
    talk.end()
    assert talk.live() == NEW


def test_a_refusal_is_an_answer(talk: Talk) -> None:
    assert "does not lie in" in talk.ask("activate", release_id=NEW)["error"]
    assert talk.ask("look")["live"] is None


def test_a_preview_leaves_nothing(talk: Talk) -> None:
    folder = Path(talk.ask("preview", size=0, count=0, files=[])["staging"])
    assert folder.is_dir()
    talk.end()
    assert not folder.exists()
    assert not talk.place.releases.exists()


def test_a_host_without_airflow_says_so(talk: Talk) -> None:
    request = {"program": "", "python": "/nonexistent/python", "environment": {}, "limit": 1, "compile": True}
    assert "it has no Airflow" in talk.ask("parse", request=request, tree="/", offline=True)["error"]


@pytest.mark.parametrize(
    ("program", "limit", "sentence"),
    [
        pytest.param("import time; time.sleep(60)", 0.5, "did not load the tree within", id="too slow"),
        pytest.param("raise SystemExit('no good')", 60, "ended without an answer (no good)", id="fails"),
    ],
)
def test_an_airflow_that_gives_no_answer_is_one_sentence(talk: Talk, program: str, limit: float, sentence: str) -> None:
    request = {"program": program, "python": sys.executable, "environment": {}, "limit": limit, "compile": True}
    assert sentence in talk.ask("parse", request=request, tree="/", offline=True)["error"]


@pytest.mark.parametrize("name", sorted(agent_modules()))
def test_the_agent_is_written_for_python_3_9(name: str) -> None:
    ast.parse(agent_modules()[name], feature_version=(3, 9))
