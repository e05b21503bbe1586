"""The parts around the decision: what is read, kept, hidden and sent."""

from __future__ import annotations

import datetime
import http.server
import json
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow_watchdog import airflow_cfg, check, look, people, queries, send, store, tell
from airflow_watchdog.config import Config, ConfigError, load
from airflow_watchdog.decide import Decision, Policy, Probe, State, Suspect, judge
from airflow_watchdog.evidence import prune
from airflow_watchdog.redact import line, redacted

PROGRAM = Path(__file__).parents[3] / "roles/watchdog/files/program"


def config(folder: Path, **changes: Any) -> Config:
    """Return a configuration whose files lie in a folder."""
    (folder / "outbox").mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "unit": "airflow-scheduler.service",
        "beside": [],
        "process": "airflow scheduler",
        "home": str(folder),
        "environment_file": str(folder / "airflow.env"),
        "health_url": "http://localhost:1/health",
        "ping_command": [],
        "restart_command": ["true"],
        "pause_file": str(folder / "pause.json"),
        "history_file": str(folder / "history.jsonl"),
        "evidence_folder": str(folder / "evidence"),
        "textfile": "",
        "run_folder": str(folder),
        "mail_to": [],
        "webhook_file": "",
        "probe_spacing": 0,
        "probe_timeout": 0.5,
        "time_limit": 5,
        "restart_timeout": 5,
        "progress_interval": 0,
        "heartbeat": 30,
        "evidence_keep": 2,
        "policy": Policy(),
    }
    return Config(**{**values, **changes})


@pytest.fixture(autouse=True)
def no_other_schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the schedulers that this machine may run, as the hosts of a lab do, be none of these tests' business."""
    monkeypatch.setattr(look, "processes", lambda _main: [])


def written(folder: Path, settings: Config) -> Path:
    """Return a file with the configuration, as the role writes it."""
    file = folder / "watchdog.json"
    file.write_text(json.dumps({**settings._asdict(), "policy": settings.policy._asdict()}))
    return file


def run(folder: Path, *arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run the program as it is installed."""
    file = written(folder, config(folder, **changes))
    command = [sys.executable, "-I", "-S", str(PROGRAM), *arguments]
    return subprocess.run(
        command,
        env={"WATCHDOG_CONFIG": str(file), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pause_status_and_resume(tmp_path: Path) -> None:
    assert run(tmp_path, "pause", "--owner", "admin", "--reason", "an upgrade", "--minutes", "5").returncode == 0
    shown = run(tmp_path, "status").stdout
    assert "not looked at since this host was booted" in shown
    assert "paused by admin until" in shown and "(an upgrade)" in shown
    assert "still" in run(tmp_path, "resume", "--owner", "somebody").stdout
    assert run(tmp_path, "resume").stdout == "The watchdog acts.\n"
    assert not (tmp_path / "pause.json").exists()


def test_a_pause_waits_for_the_check_that_may_not_have_seen_it(tmp_path: Path) -> None:
    with store.alone(store.lock_file(str(tmp_path))):
        pausing = threading.Thread(target=run, args=(tmp_path, "pause", "--reason", "an upgrade"))
        pausing.start()
        pausing.join(1)
        assert pausing.is_alive()
    pausing.join(30)
    assert not pausing.is_alive()
    assert (tmp_path / "pause.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["pause"], "--reason", id="no reason"),
        pytest.param(["pause", "--reason", "x", "--minutes", "0"], "0 is not between 0 and 10080", id="no time"),
        pytest.param(["pause", "--reason", "x", "--minutes", "long"], "long", id="no number"),
        pytest.param(["stop"], "invalid choice", id="no such command"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"policy": {"unknown": 1}}'])
def test_a_broken_configuration_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "watchdog.json").write_text(content)
    with pytest.raises(ConfigError, match=r"cannot be used .*; run site.yml --tags watchdog"):
        load(str(tmp_path / "watchdog.json"))


def test_state_survives_a_round_trip_and_a_boot_begins_anew() -> None:
    state = State(restarts=(1.0, 2.0), total=7, since=3.0, told=("restarted",), mails=(1.5,), stalled="no work")
    assert store.state_of(json.loads(json.dumps({"state": state._asdict()}))) == state
    assert store.state_of(None) == State()


def test_what_nobody_accounts_for_is_remembered_until_the_next_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = iter([100.0, 105.0, 105.0])

    def looked(_config: Config, deep: bool) -> Probe:
        return Probe("active", heartbeat="fresh", suspects=(Suspect(7, next(beats), "that of dn01p", here=False),))

    monkeypatch.setattr(look, "look", looked)
    verdicts = []
    for _ in range(3):
        check.check(config(tmp_path, policy=Policy(strikes=1)))
        verdicts.append(store.read(f"{tmp_path}/state.json")["verdict"])
    assert verdicts == ["healthy", "two schedulers", "two schedulers"]


def test_the_state_of_another_version_is_taken_over() -> None:
    assert store.state_of({"state": {"total": 7, "of_a_later_version": 1}}) == State(total=7)


def at(moment: float, jump: float = 0, boot: str = "this") -> store.Clock:
    """Return a moment whose wall clock may have jumped."""
    return store.Clock(moment + jump, moment, boot)


def test_pauses_expire_and_each_owner_has_one() -> None:
    pauses = store.with_pause([], "admin", "a", at(100), seconds=60)
    pauses = store.with_pause(pauses, "playbook", "b", at(110), seconds=10)
    pauses = store.with_pause(pauses, "admin", "c", at(115), seconds=60)
    assert [(each["owner"], each["reason"]) for each in pauses] == [("playbook", "b"), ("admin", "c")]
    assert [each["owner"] for each in store.active_pauses(pauses, at(120))] == ["admin"]
    assert store.without_pause(pauses, "playbook", at(116)) == pauses[1:]
    assert store.without_pause(pauses, None, at(116)) == []
    assert store.pause_text(pauses[1:]) == "paused by admin until 1970-01-01T00:02:55Z (c)"


@pytest.mark.parametrize(
    ("now", "held"),
    [
        pytest.param(at(159, jump=3600), True, id="the clock jumped ahead"),
        pytest.param(at(161, jump=-3600), False, id="the clock jumped back"),
        pytest.param(at(5, jump=150, boot="next"), True, id="booted within the pause"),
        pytest.param(at(5, jump=160, boot="next"), False, id="booted after the pause"),
    ],
)
def test_a_clock_that_jumps_neither_ends_nor_prolongs_a_pause(now: store.Clock, held: bool) -> None:
    pauses = store.with_pause([], "admin", "a", at(100), seconds=60)
    assert bool(store.active_pauses(pauses, now)) is held


@pytest.mark.parametrize(
    ("content", "held"),
    [
        ({"owner": "a", "reason": "b", "expires": "2099-01-01T00:00:00Z"}, True),
        ([{"owner": "a", "reason": "b", "expires": "2001-01-01T00:00:00Z"}], False),
        ([{"owner": "a"}], False),
        (["a"], False),
        ("a", False),
        (None, False),
    ],
)
def test_a_pause_file_written_by_hand(content: object, held: bool) -> None:
    assert bool(store.active_pauses(content, store.clock())) is held


def test_the_grace_of_a_service_that_systemd_does_not_know_counts_from_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"airflow scheduler {tmp_path.name}"
    monkeypatch.setattr(look, "shown", lambda _config: {"LoadState": "not-found"})
    settings = config(tmp_path, process=words)
    assert look.look(settings).uptime is None
    with subprocess.Popen(["bash", "-c", f"exec -a '{words}' sleep 60"]) as process:
        try:
            seen = look.look(settings)
            while seen.uptime is None:  # it is still bash
                seen = look.look(settings)
        finally:
            process.kill()
    assert (seen.unit, seen.uptime is not None and 0 <= seen.uptime < 30) == ("missing", True)
    assert judge(seen._replace(heartbeat="stale"), Policy(grace=60))[0] == "starting"


WORKER = {"LoadState": "loaded", "ActiveState": "active", "ActiveEnterTimestampMonotonic": "1", "NRestarts": "0"}


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """Return the configuration for a worker whose log server answers, and whose ping is counted."""
    monkeypatch.setattr(look, "shown", lambda _config: WORKER)
    ping = ["sh", "-c", f"echo >>{tmp_path}/pings; exit $(cat {tmp_path}/code)"]
    (tmp_path / "code").write_text("0")
    with hook() as url:
        yield config(tmp_path, health_url=url, ping_command=ping, unit="airflow-worker.service", progress_interval=300)


def pings(settings: Config) -> int:
    """Return how often celery was asked."""
    file = Path(settings.run_folder) / "pings"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_worker_is_pinged_at_first_and_then_only_when_that_is_due(worker: Config) -> None:
    assert [check.check(worker), check.check(worker), check.check(worker), pings(worker)] == [0, 0, 0, 1]
    record = store.read(f"{worker.run_folder}/state.json")
    assert (record["verdict"], record["message"]) == ("healthy", "the heartbeat is fresh (log server)")
    record["progress_at"] -= 300
    store.write(f"{worker.run_folder}/state.json", json.dumps(record))
    check.check(worker)
    assert pings(worker) == 2


def test_a_worker_whose_log_server_is_silent_is_pinged_and_not_restarted(worker: Config) -> None:
    check.check(worker)
    silent = worker._replace(health_url="http://localhost:1/")
    check.check(silent)
    record = store.read(f"{worker.run_folder}/state.json")
    assert (pings(worker), record["verdict"], record["state"]["total"]) == (2, "no log server", 0)


@pytest.mark.parametrize(
    ("code", "verdict", "asked", "restarts"),
    [
        pytest.param("69", "hung", 3, 1, id="no answer"),
        pytest.param("1", "not to be seen", 1, 0, id="no broker"),
    ],
)
def test_a_worker_that_does_not_answer(worker: Config, code: str, verdict: str, asked: int, restarts: int) -> None:
    (Path(worker.run_folder) / "code").write_text(code)
    check.check(worker)
    record = store.read(f"{worker.run_folder}/state.json")
    assert (record["verdict"], pings(worker), record["state"]["total"]) == (verdict, asked, restarts)
    assert record["progress_at"] is None  # the next check asks again


def test_a_worker_in_quarantine_is_left_alone(worker: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    drop_in = "/etc/systemd/system/airflow-worker.service.d/dag-release-quarantine.conf"
    monkeypatch.setattr(look, "shown", lambda _config: {**WORKER, "ActiveState": "inactive", "DropInPaths": drop_in})
    check.check(worker)
    assert store.read(f"{worker.run_folder}/state.json")["verdict"] == "not watched"


@pytest.mark.parametrize(
    ("states", "verdicts", "told"),
    [
        pytest.param([("active", 0)] * 4, ["healthy"] * 4, [], id="well"),
        pytest.param([("failed", 0)] * 3, ["gave up"] * 3, ["gave up"], id="failed"),
        pytest.param([("failed", 0), ("active", 0)], ["gave up", "healthy"], ["gave up", "recovered"], id="back"),
        pytest.param(
            [("activating", deaths) for deaths in range(5)],
            ["changing", "changing", "changing", "dies", "dies"],
            ["trouble"],
            id="dies-at-every-start",
        ),
        pytest.param([("inactive", 0)] * 3, [], [], id="stopped-by-somebody"),
    ],
)
def test_a_service_beside_that_does_not_come_back_is_told_once(
    worker: Config,
    monkeypatch: pytest.MonkeyPatch,
    states: list[tuple[str, int]],
    verdicts: list[str],
    told: list[str],
) -> None:
    other = "airflow-triggerer.service"
    config = worker._replace(beside=[other], policy=Policy(report_after=0), mail_to=["nobody"])
    monkeypatch.setattr(check, "deliver", lambda _config: None)
    seen = []
    for state, deaths in states:
        properties = {**WORKER, "ActiveState": state, "NRestarts": str(deaths)}
        monkeypatch.setattr(look, "shown", lambda asked, shown=properties: shown if asked.unit == other else WORKER)
        check.check(config)
        record = store.read(f"{config.run_folder}/state.json")
        assert record["verdict"] == "healthy"
        seen += [record["beside"][other]["verdict"]] if record["beside"] else []
    assert seen == verdicts
    messages = [store.read(f"{config.run_folder}/outbox/{name}") for name in tell.waiting(config)]
    assert [(each["unit"], each["kind"]) for each in messages] == [(other, kind) for kind in told]


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    with store.alone(str(tmp_path / "lock")) as first, store.alone(str(tmp_path / "lock")) as second:
        assert (first, second) == (True, False)
    with store.alone(str(tmp_path / "lock")) as again:
        assert again


def test_the_history_keeps_its_newest_lines_and_survives_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"at": "half')
    assert store.history(str(path)) == []
    path.write_text("")
    for number in range(store.HISTORY_LINES + 1):
        store.remember(str(path), {"at": number})
    kept = store.history(str(path))
    assert (len(kept), kept[-1]) == (store.HISTORY_LINES // 2, {"at": store.HISTORY_LINES})


def test_metrics() -> None:
    record = {"verdict": "gave up", "at": 12.5, "state": State(restarts=(1.0,), total=3)._asdict()}
    lines = store.metrics("airflow-scheduler.service", record, paused=False).splitlines()
    assert 'airflow_watchdog_restarts_total{unit="airflow-scheduler.service"} 3' in lines
    assert 'airflow_watchdog_gave_up{unit="airflow-scheduler.service"} 1' in lines
    assert "# TYPE airflow_watchdog_restarts_total counter" in lines


@pytest.mark.parametrize(
    ("line", "heartbeat"),
    [
        (b"HTTP/1.0 200 OK\r\n", "fresh"),
        (b"HTTP/1.0 503 Service Unavailable\r\n", "stale"),
        (b"HTTP/1.0 404 Not Found\r\n", "unknown"),
        (b"SSH-2.0-OpenSSH\r\n", "unknown"),
        (b"", "unknown"),
    ],
)
def test_health_of(line: bytes, heartbeat: str) -> None:
    assert look.health_of(line) == heartbeat


def test_a_page_that_never_answers_is_not_waited_for() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        start = time.monotonic()
        assert look.health_page(f"http://127.0.0.1:{server.server_address[1]}/health", 0.2) == "unknown"
    assert time.monotonic() - start < 5


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    assert look.run(["sh", "-c", "sleep 987 & wait"], 0.3)[0] == -1
    assert subprocess.run(["pgrep", "-fx", "sleep 987"], check=False, capture_output=True).returncode == 1
    assert look.run(["/nonexistent"], 1) == (-1, "/nonexistent: No such file or directory")


@pytest.mark.parametrize(
    ("url", "host", "user", "password", "database"),
    [
        (
            "mysql+mysqldb://airflow:p%40s%2Fs@mn01p:3307/airflow?charset=utf8mb4",
            "mn01p",
            "airflow",
            "p@s/s",
            "airflow",
        ),
        ("mysql://a@10.0.0.1/b", "10.0.0.1", "a", "", "b"),
    ],
)
def test_login(url: str, host: str, user: str, password: str, database: str) -> None:
    found = queries.login(url)
    assert [found[key] for key in ("host", "user", "password", "database")] == [host, user, password, database]


@pytest.mark.parametrize("url", ["sqlite:////tmp/airflow.db", "postgresql://a:b@c/d", ""])
def test_a_database_that_is_no_mariadb_is_not_asked(url: str) -> None:
    with pytest.raises(ValueError, match="MariaDB"):
        queries.login(url)


@pytest.mark.parametrize(
    ("change", "ready"),
    [
        pytest.param("", True, id="room for it beside a task that runs"),
        pytest.param("UPDATE slot_pool SET slots = 1", False, id="the pool is full"),
        pytest.param("UPDATE slot_pool SET slots = -1", True, id="the pool has no limit"),
        pytest.param("UPDATE task_instance SET pool_slots = 2 WHERE state = 'scheduled'", False, id="too big for it"),
        pytest.param("UPDATE dag SET max_active_tasks = 1", False, id="the DAG is at its limit"),
        pytest.param("UPDATE dag SET is_paused = 1", False, id="the DAG is paused"),
        pytest.param("UPDATE dag_run SET state = 'queued'", False, id="its run has not begun"),
        pytest.param(
            "INSERT INTO task_instance VALUES ('b', 'r', 'deferred', 'p', 1, 0)", True, id="others are deferred"
        ),
        pytest.param(
            "INSERT INTO task_instance VALUES ('b', 'r', 'deferred', 'p', 1, 0);"
            "UPDATE slot_pool SET include_deferred = 1",
            False,
            id="deferred tasks count in this pool",
        ),
    ],
)
def test_a_task_is_ready_when_pool_and_dag_have_room(change: str, ready: bool) -> None:
    with sqlite3.connect(":memory:") as database:
        database.executescript(f"""
            CREATE TABLE task_instance (dag_id, run_id, state, pool, pool_slots, updated_at);
            CREATE TABLE dag_run (dag_id, run_id, state, run_type);
            CREATE TABLE dag (dag_id, is_paused, is_active, max_active_tasks);
            CREATE TABLE slot_pool (pool, slots, include_deferred);
            INSERT INTO task_instance VALUES ('a', 'r', 'running', 'p', 1, 100), ('a', 'r', 'scheduled', 'p', 1, 200);
            INSERT INTO dag_run VALUES ('a', 'r', 'running', 'manual');
            INSERT INTO dag VALUES ('a', 0, 1, 16);
            INSERT INTO slot_pool VALUES ('p', 2, 0);
            {change};
        """)
        assert database.execute(queries.READY).fetchall() == [(200 if ready else None,)]


class Cursor:
    """A database in which one task is due, one runs, and there is room."""

    def __init__(self, now: datetime.datetime) -> None:
        self._long_ago = now - datetime.timedelta(seconds=700)

    def execute(self, query: str) -> None:
        rows = [("scheduled", 1, self._long_ago, None), ("running", 1, self._long_ago, self._long_ago)]
        answers: dict[str, list[Any]] = {queries.TASKS: rows}
        self._answer = answers.get(query, [(self._long_ago,)])

    def fetchall(self) -> list[Any]:
        return self._answer


@pytest.mark.parametrize(("parallelism", "ready"), [(2, 700.0), (0, 700.0), (1, None)])
def test_the_scheduler_s_own_limit_is_no_stall(parallelism: int, ready: float | None) -> None:
    now = datetime.datetime(2026, 3, 14)
    progress = queries.progress(Cursor(now), now, parallelism)
    assert (progress["ready"], progress["scheduled"], progress["running"]) == (ready, 700.0, 1)


CFG = """\
[database]
sql_alchemy_conn = mysql://airflow:db%%40secret@mn01p/airflow
[core]
fernet_key = fernet-marker
[smtp]
smtp_host = {host}
smtp_port = {port}
smtp_starttls = False
smtp_mail_from = airflow@example.com
"""


def test_secrets_of_airflow_cfg(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text(CFG.format(host="mn01p", port=25))
    found = airflow_cfg.secrets_of(airflow_cfg.read(str(tmp_path)))
    assert {"db%40secret", "db@secret", "fernet-marker", "mysql://airflow:db%40secret@mn01p/airflow"} <= set(found)
    assert airflow_cfg.read(str(tmp_path / "nothing")) == {}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("the key is fernet-marker.", "the key is ********."),
        ("amqp://airflow:brokersecret@mn01p:5672/x", "amqp://airflow:********@mn01p:5672/x"),
        ("mysql://airflow:a@b/c@mn01p/x", "mysql://airflow:********@mn01p/x"),
        ("http://mn02p:8080/health is away", "http://mn02p:8080/health is away"),
        ("password=hunter2 next", "password=******** next"),
        ("{'smtp_password': 'hunter2', 'a': 1}", "{'smtp_password': '********', 'a': 1}"),
        ("SECRET_KEY: abc", "SECRET_KEY: ********"),
        ("nothing to hide", "nothing to hide"),
        (
            "Could not parse URL from string 'mysql//a:hunter2@h/b'",
            "Could not parse URL from string 'mysql//a:********@h/b'",
        ),
    ],
)
def test_redacted(text: str, hidden: str) -> None:
    assert redacted(text, ["fernet-marker"]) == hidden


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("python airflow scheduler --token abc -n 1", "python airflow scheduler --token ******** -n 1"),
        ("env X_PASSWORD=hunter2 airflow", "env X_PASSWORD=******** airflow"),
        ("a\x1b[31mred\x1b[0m\x00\nb", "a red b"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_what_somebody_else_wrote_is_one_line_without_secrets(text: str, shown: str) -> None:
    assert line(text) == shown


def test_only_the_newest_evidence_is_kept(tmp_path: Path) -> None:
    for name in ("2026-01-01", "2026-01-03", "2026-01-02"):
        (tmp_path / name).mkdir()
    prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-01-02", "2026-01-03"]


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes messages, and answers like the log server of a worker."""

    taken: list[dict[str, Any]]

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        Hook.taken.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


@contextmanager
def hook() -> Iterator[str]:
    """Serve a webhook."""
    Hook.taken = []
    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_message_stays_until_every_way_worked(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text(CFG.format(host="127.0.0.1", port=1))  # nobody listens there
    with hook() as url:
        (tmp_path / "webhook").write_text(f"{url}\n")
        settings = config(tmp_path, mail_to=["admin@example.com"], webhook_file=str(tmp_path / "webhook"))
        tell.post(settings, "restarted", "the unit is failed; it is restarted", "/evidence")
        tell.deliver(settings)
        tell.deliver(settings)
    ((message,), (waiting,)) = Hook.taken, (tmp_path / "outbox").iterdir()
    assert (message["kind"], message["unit"]) == ("restarted", "airflow-scheduler.service")
    assert json.loads(waiting.read_text())["ways"] == ["mail"]


def test_a_scheduler_whose_looks_take_too_long_is_restarted_by_the_check_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        look, "look", lambda _config, deep: Probe("active", uptime=900, heartbeat="stale", database="up")
    )
    restart = ["touch", str(tmp_path / "restarted")]
    settings = config(tmp_path, probe_spacing=60, time_limit=0.3, restart_command=restart, policy=Policy(strikes=2))
    assert check.check(settings) == 1
    assert not (tmp_path / "restarted").exists()
    assert check.check(settings) == 0
    assert (tmp_path / "restarted").exists()


def test_a_check_that_acts_for_too_long_ends_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(_config: Config, _decision: Decision) -> str:
        raise check.OverTime

    monkeypatch.setattr(look, "look", lambda _config, deep: Probe("failed", database="up"))
    monkeypatch.setattr(check, "restart", hang)
    assert check.check(config(tmp_path, policy=Policy(strikes=1))) == 1
    state = json.loads((tmp_path / "state.json").read_text())["state"]
    assert state["total"] == 1  # it counts: nobody knows how far it came


def sent(monkeypatch: pytest.MonkeyPatch, problem: str) -> list[str]:
    """Let mails go nowhere, with a problem or without; return the list of their kinds, as it grows."""
    kinds: list[str] = []

    def mail(_config: Config, content: dict[str, Any]) -> str:
        kinds.append(content["kind"])
        return problem

    monkeypatch.setattr(send, "mail", mail)
    return kinds


class NoWeb(socketserver.BaseRequestHandler):
    """Answers, but not in HTTP."""

    def handle(self) -> None:
        self.request.recv(1024)
        self.request.sendall(b"220 mail.example.com\r\n")


def test_a_webhook_that_speaks_no_http_repeats_no_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = sent(monkeypatch, "")
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NoWeb) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "webhook").write_text(f"http://127.0.0.1:{server.server_address[1]}/\n")
        settings = config(tmp_path, mail_to=["admin@example.com"], webhook_file=str(tmp_path / "webhook"))
        tell.post(settings, "restarted", "the unit is failed; it is restarted", "")
        tell.deliver(settings)
        tell.deliver(settings)
        server.shutdown()
    (waiting,) = (tmp_path / "outbox").iterdir()
    assert (len(mails), json.loads(waiting.read_text())["ways"]) == (1, ["webhook"])


def test_a_message_that_cannot_be_read_keeps_no_other_one_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "mail", lambda _config, _content: "")
    settings = config(tmp_path, mail_to=["admin@example.com"])
    (tmp_path / "outbox/0.json").write_text('{"expires": "later"}')
    tell.post(settings, "restarted", "the unit is failed; it is restarted", "")
    tell.deliver(settings)
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == ["0.json"]


class Silent(socketserver.BaseRequestHandler):
    """Takes a connection and says nothing until it is closed."""

    asked = 0

    def handle(self) -> None:
        Silent.asked += 1
        self.request.recv(1024)


def test_a_silent_mail_server_holds_up_neither_a_check_nor_the_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "DELIVERY_LIMIT", 6.0)
    Silent.asked = 0
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server, hook() as url:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "airflow.cfg").write_text(CFG.format(host="127.0.0.1", port=server.server_address[1]))
        (tmp_path / "webhook").write_text(f"{url}\n")
        settings = config(tmp_path, mail_to=["admin@example.com"], webhook_file=str(tmp_path / "webhook"))
        monkeypatch.setenv("WATCHDOG_CONFIG", str(written(tmp_path, settings)))
        tell.post(settings, "restarted", "the unit is failed; it is restarted", "")
        start = time.monotonic()
        check.deliver(settings)
        took = time.monotonic() - start
        server.shutdown()
    ((message,), (waiting,)) = Hook.taken, (tmp_path / "outbox").iterdir()
    assert (message["kind"], Silent.asked, took < send.TIMEOUT) == ("restarted", 1, True)
    assert json.loads(waiting.read_text())["ways"] == ["mail"]


def test_a_way_that_does_not_work_is_tried_once_in_a_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = sent(monkeypatch, "no answer")
    settings = config(tmp_path, mail_to=["admin@example.com"])
    tell.post(settings, "restarted", "it is restarted", "")
    tell.post(settings, "recovered", "it is healthy", "")
    tell.deliver(settings)
    assert tried == ["restarted"]
    tell.deliver(settings)
    assert tried == ["restarted", "restarted"]


def test_a_message_that_is_too_old_is_forgotten(tmp_path: Path) -> None:
    settings = config(tmp_path, mail_to=["admin@example.com"])
    (tmp_path / "outbox/1.json").write_text(json.dumps({"expires": 1, "ways": ["mail"], "subject": "x"}))
    (tmp_path / "outbox/2.json").write_text("half of it")
    tell.deliver(settings)
    assert not list((tmp_path / "outbox").iterdir())


def test_the_letter_says_what_happened_and_what_to_type() -> None:
    content = {"subject": "airflow-scheduler on mn02p was restarted", "message": "the unit is failed; it is restarted"}
    content |= {"host": "mn02p", "unit": "airflow-scheduler.service", "at": "2026-03-14T09:26:53Z", "evidence": "/e"}
    letter = send.letter(content, "airflow@example.com", ["a@example.com", "b@example.com"])
    assert letter["Subject"] == "[airflow] airflow-scheduler on mn02p was restarted"
    assert letter["To"] == "a@example.com, b@example.com"
    assert "the unit is failed; it is restarted." in letter.get_content()
    assert "What it looked like before: /e" in letter.get_content()
    assert "watchdog status" in letter.get_content()


def test_the_owner_of_a_pause_is_the_person_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "mbsadmin")
    assert people.caller() == "mbsadmin"


@pytest.mark.parametrize(
    ("ends", "said", "heartbeat"),
    [
        pytest.param(0, "Found one alive job.", "fresh", id="alive"),
        pytest.param(1, "No alive jobs found.", "stale", id="none alive"),
        pytest.param(1, "sqlalchemy.exc.OperationalError: Can't connect to MySQL server", "unknown", id="no database"),
        pytest.param(2, "usage: airflow", "unknown", id="another command line"),
    ],
)
def test_only_a_missing_job_is_a_stale_heartbeat(tmp_path: Path, ends: int, said: str, heartbeat: str) -> None:
    airflow = tmp_path / "venv/bin/airflow"
    airflow.parent.mkdir(parents=True)
    airflow.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit {ends}\n')
    airflow.chmod(0o755)
    assert look.jobs_check(config(tmp_path), "mn02p") == heartbeat
