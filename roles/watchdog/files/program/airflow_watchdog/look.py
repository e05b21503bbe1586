"""Look at the service and at its heartbeat, the cheapest way first."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from itertools import repeat
from typing import Any

from airflow_watchdog.config import Config
from airflow_watchdog.decide import Probe, Progress, Suspect
from airflow_watchdog.schedulers import (
    Process,
    Row,
    answers_itself,
    heads,
    is_same,
    of_another_database,
    paired,
    processes,
    row_text,
    text_of,
)

# What keeps a unit stopped: a failover moved the scheduler away, or a worker missed a DAG release.
FENCES = ("/airflow-failover.conf", "/dag-release-quarantine.conf")
PROPERTIES = "LoadState,DropInPaths,ActiveState,ActiveEnterTimestampMonotonic,NRestarts,MainPID"
QUERIES = os.path.join(os.path.dirname(__file__), "queries.py")
DATABASE_TIMEOUT = 10.0  # seconds; three looks fit into a check, also while the database is silent
JOBS_TIMEOUT = 30.0
NO_JOB = "No alive jobs found."  # airflow jobs check of Airflow 2.11 (airflow/cli/commands/jobs_command.py)
PING_TIMEOUT = 30.0
NO_ANSWER = 69  # how celery ends when no worker has answered


def look(config: Config, deep: bool = True) -> Probe:
    """Return one look at the service; a deep one at a worker asks also while all seems well."""
    unit = shown(config)
    monotonic = int(unit.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    probe = probe_of(unit)
    state = probe.unit
    probe = probe._replace(uptime=time.monotonic() - monotonic if state == "active" and monotonic else None)
    if probe.fenced or not config.policy.watched:
        return probe
    if config.ping_command:
        return worker(config, probe, deep)
    main = int(unit.get("MainPID") or 0)
    found = processes(main)
    # One who started a scheduler by hand has its page, too, and so has what such a scheduler left behind.
    if state == "active" and answers_itself(main, port_of(config.health_url), found):
        probe = probe._replace(heartbeat=health_page(config.health_url, config.probe_timeout), source="health page")
    if state == "missing":
        probe = probe._replace(uptime=process_age(config.process))
    return asked_further(config, probe, heads(found))


def probe_of(unit: dict[str, str]) -> Probe:
    """Return what systemd says about a unit."""
    return Probe(
        unit=unit.get("ActiveState", "missing") if unit.get("LoadState") != "not-found" else "missing",
        deaths=int(unit["NRestarts"]) if unit.get("NRestarts", "").isdigit() else None,
        fenced=unit.get("LoadState") == "masked" or any(fence in unit.get("DropInPaths", "") for fence in FENCES),
    )


def beside(config: Config) -> dict[str, Probe]:
    """Return a look at each of the other services: whether it runs is all that is asked, a stopped one is left out."""
    found = {unit: probe_of(shown(config._replace(unit=unit))) for unit in config.beside}
    return {
        unit: probe._replace(heartbeat="fresh")
        for unit, probe in found.items()
        if probe.unit not in ("inactive", "missing")
    }


def worker(config: Config, probe: Probe, deep: bool) -> Probe:
    """Return the probe with what a worker says: its log server for next to nothing, celery for seconds of CPU."""
    if probe.unit not in ("active", "missing"):
        return probe
    log_server = bool(first_line(config.health_url, config.probe_timeout))
    if log_server and not deep:
        return probe._replace(heartbeat="fresh", source="log server")
    code = run(config.ping_command, PING_TIMEOUT, environment(config))[0]
    # Anything else is the broker's trouble, and a restart would not help.
    heartbeat = {0: "fresh", NO_ANSWER: "stale"}.get(code, "unknown")
    return probe._replace(heartbeat=heartbeat, source="celery ping", log_server=log_server)


def asked_further(config: Config, probe: Probe, found: list[Process]) -> Probe:
    """Return the probe with what processes and the database show; when these say nothing, with what is left to ask.

    That is the page of another manager's scheduler: with a pool of connections its first look ends a busy one.
    """
    answer = ask_database(config.home)
    probe = probe._replace(database=answer.get("database", "unknown"))
    own, strangers = parted(found, probe.unit)
    if probe.database == "up":
        return of_database(config, probe, own, strangers, [Row(*each) for each in answer["jobs"]])
    probe = probe._replace(others=tuple(map(text_of, strangers)))
    if probe.unit == "missing":
        probe = probe._replace(heartbeat=health_page(config.health_url, config.probe_timeout), source="health page")
    if probe.heartbeat == "unknown" and probe.database == "unknown" and probe.unit in ("active", "missing"):
        return probe._replace(heartbeat=jobs_check(config, socket.gethostname()), source="airflow jobs check")
    return probe


def parted(found: list[Process], unit: str) -> tuple[list[Process], list[Process]]:
    """Return the unit's own schedulers and all others; where another manager has the service the oldest is its own."""
    own = found[:1] if unit == "missing" else [process for process in found if process.own]
    return own, [process for process in found if process not in own]


def of_database(config: Config, probe: Probe, own: list[Process], strangers: list[Process], rows: list[Row]) -> Probe:
    """Return the probe with the heartbeat of its own row, and with who else is seen by process or by a fresh row."""
    here, now = socket.gethostname(), time.time()
    alive = now - config.heartbeat
    pairs = paired(here, [(process.pid, process.since) for process in own + strangers], rows, alive)
    mine = [pairs[process.pid] for process in own if process.pid in pairs]
    if not own and probe.unit in ("active", "missing"):  # its process is called something else
        mine = [row for row in rows if is_same(row.host, here) and row.since > now - (probe.uptime or now)]
    known = {row.job for row in [*pairs.values(), *mine]}
    others = [each for each in strangers if not of_another_database(each.since, pairs.get(each.pid), now)]
    fresh = [row for row in rows if row.running and row.beat > alive and row.job not in known]
    age = min((now - row.beat for row in mine if row.running), default=None)
    probe = probe._replace(
        age=age,
        others=tuple(map(text_of, others)),
        suspects=tuple(Suspect(row.job, row.beat, row_text(*row[1:4]), is_same(row.host, here)) for row in fresh),
    )
    if probe.heartbeat != "unknown":
        return probe
    return probe._replace(heartbeat="stale" if age is None or age >= config.heartbeat else "fresh", source="database")


def shown(config: Config) -> dict[str, str]:
    """Return what systemd knows about the unit."""
    command = ["systemctl", "show", f"--property={PROPERTIES}", config.unit]
    code, text = run(command, config.probe_timeout * 2)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line) if code == 0 else {}


def process_age(words: str) -> float | None:
    """Return for how many seconds the oldest process of this account with these words has run, None without one."""
    ages = [age for age in map(_age_of, filter(str.isdigit, os.listdir("/proc")), repeat(words)) if age is not None]
    return max(ages, default=None)


def _age_of(process: str, words: str) -> float | None:
    try:
        if os.stat(f"/proc/{process}").st_uid != os.getuid() or int(process) == os.getpid():
            return None
        with open(f"/proc/{process}/cmdline", "rb") as file:
            command = file.read().replace(b"\0", b" ").decode(errors="replace")
        if words not in command:
            return None
        with open(f"/proc/{process}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b") ")[2].split()[19])
    except OSError:  # it has ended
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def health_page(url: str, timeout: float) -> str:
    """Return fresh or stale as the scheduler's own page has it, unknown when it does not answer."""
    return health_of(first_line(url, timeout))


def port_of(url: str) -> int:
    """Return the port of an URL."""
    port = url.partition("://")[2].partition("/")[0].partition(":")[2]
    return int(port) if port.isdigit() else 80


def first_line(url: str, timeout: float) -> bytes:
    """Return the beginning of the answer to a request, nothing when there is none.

    By hand: importing an HTTP client costs more than all the rest of a check.
    """
    address, _, path = url.partition("://")[2].partition("/")
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port or 80)), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(f"GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return connection.recv(64)
    except (OSError, ValueError):
        return b""


def health_of(first_line: bytes) -> str:
    """Return what the status code of the answer says."""
    words = first_line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return "unknown"
    return {b"200": "fresh", b"503": "stale"}.get(words[1], "unknown")


def progress(config: Config) -> Progress | None:
    """Ask the database whether work goes on; None when it cannot be asked."""
    answer = ask_database(config.home, "progress")
    return Progress(**answer["progress"]) if answer.get("database") == "up" else None


def ask_database(home: str, *parts: str) -> dict[str, Any]:
    """Return the answer of queries.py, empty when it cannot run; it needs Airflow's own Python, for the driver."""
    command = [f"{home}/venv/bin/python", "-I", QUERIES, f"{home}/airflow.cfg", *parts]
    code, text = run(command, DATABASE_TIMEOUT)
    try:
        return dict(json.loads(text)) if code == 0 else {}
    except ValueError:
        return {}


def jobs_check(config: Config, here: str) -> str:
    """Return the heartbeat as Airflow's own command sees it, the dearest way.

    It ends with 1 for a stale heartbeat and for every error of its own, such as a database that is away.
    """
    command = [f"{config.home}/venv/bin/airflow", "jobs", "check", "--job-type", "SchedulerJob", "--hostname", here]
    command += ["--allow-multiple", "--limit", "100"]  # after a restart two are alive for a moment
    code, said = run(command, JOBS_TIMEOUT, environment(config))
    if code == 0:
        return "fresh"
    return "stale" if code == 1 and NO_JOB in said else "unknown"


def environment(config: Config) -> dict[str, str]:
    """Return the environment of Airflow's commands."""
    values = {"PATH": os.environ.get("PATH", os.defpath), "HOME": config.home, "LANG": "C.UTF-8"}
    try:
        with open(config.environment_file, encoding="utf-8") as file:
            pairs = [line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#")]
    except OSError:
        return values
    return {**values, **{key: value.strip("'\"") for key, value in pairs}}


def run(command: list[str], timeout: float, variables: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command and return its exit code and what it said; -1 when it cannot run or takes too long.

    The command gets a session of its own, so that its children end with it.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            start_new_session=True,
        )
    except OSError as error:
        return -1, f"{command[0]}: {error.strerror}"
    try:
        said = process.communicate(timeout=timeout)[0]
    except BaseException as error:  # the time limit of the whole check ends the command, too
        end(process)
        if isinstance(error, subprocess.TimeoutExpired):
            return -1, f"{command[0]} took more than {timeout:.0f} s"
        raise
    return process.returncode, said.decode(errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children; one that root runs cannot be ended, and is not waited for."""
    try:
        os.killpg(process.pid, 9)
        process.wait(1)
    except (OSError, subprocess.TimeoutExpired):
        pass
