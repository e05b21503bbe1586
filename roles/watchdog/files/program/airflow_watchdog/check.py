"""One invocation: look, decide, act, remember, tell."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from airflow_watchdog import look, store, tell
from airflow_watchdog.config import Config
from airflow_watchdog.decide import Decision, Probe, Progress, Seen, State, decide

# Seconds. A timer of systemd starts no check before the one before it has ended, delivery included.
DELIVERY_LIMIT = 25.0


class OverTime(Exception):
    """The invocation took longer than it may."""


def check(config: Config) -> int:
    """Check the service; return 0 also when another invocation is at it."""
    with store.alone(store.lock_file(config.run_folder)) as mine:
        if not mine:
            return 0
        signal.signal(signal.SIGALRM, _over_time)
        try:
            _limit(config.time_limit)
            code = watch(config)
        except OverTime:  # not while it looked, which `decided` answers, but while it acted
            tell.journal("trouble", "a check was ended because it took too long to act", config.unit)
            code = 1
        finally:
            _limit(0)
    deliver(config)  # after the lock is gone
    return code


def deliver(config: Config) -> None:
    """Send what waits, in a process of its own that ends in time: a name server that is silent heeds no other limit."""
    if tell.waiting(config):
        program = os.path.dirname(os.path.dirname(__file__))
        look.run([sys.executable, "-I", "-S", program, "deliver"], DELIVERY_LIMIT)


def _limit(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _over_time(_number: int, _frame: FrameType | None) -> None:
    raise OverTime


def watch(config: Config) -> int:
    """Look until there is a decision, and carry it out; return 1 when the time was up first."""
    path = f"{config.run_folder}/state.json"
    before = store.read(path) or {}
    state = store.state_of(before)
    decision, probe, asked = decided(config, state, before.get("progress_at"))
    _limit(config.restart_timeout + 60)  # the looks have had theirs, what was decided gets its own
    others = beside(config, before.get("beside", {}), probe.database)
    record = {**recorded(probe, decision), "progress_at": asked, "beside": others}
    # Before the action: whatever happens meanwhile, this restart counts.
    store.write(path, json.dumps(record))
    folder = restart(config, decision) if decision.action == "restart" else ""
    if decision.tell == "second":
        folder = collected(config, decision)[0]
    announce(config, before, record, decision, folder)
    return int(decision.verdict in ("over time", "nothing seen"))


def recorded(probe: Probe, decision: Decision) -> dict[str, Any]:
    """Return what is kept of a look and what was decided."""
    first = dict(decision.state.beats)  # of each the first heartbeat: what was proven once stays so until it ends
    beats = tuple((each.job, first.get(each.job, each.beat)) for each in probe.suspects)
    return {
        "at": time.time(),
        "unit": probe.unit,
        "heartbeat": probe.heartbeat,
        "verdict": decision.verdict,
        "message": decision.message,
        "state": decision.state._replace(beats=beats)._asdict(),
    }


def beside(config: Config, before: dict[str, Any], database: str) -> dict[str, Any]:
    """Tell which of the other services does not come back; systemd starts them, so nothing else is done about it."""
    if database == "down":  # what keeps them down is told once, of the watched service
        return {}
    policy = config.policy._replace(watched=True, strikes=1, max_restarts=0)
    records = {}
    for unit, probe in look.beside(config).items():
        earlier = before.get(unit, {})
        decision = decide(Seen((probe,), pause=paused(config)), store.state_of(earlier), policy, time.monotonic())
        records[unit] = recorded(probe, decision)
        if decision.tell:
            announce(config._replace(unit=unit, textfile=""), earlier, records[unit], decision, "")
    return records


def decided(config: Config, state: State, asked: float | None) -> tuple[Decision, Probe, float | None]:
    """Return the decision after as many looks as it needs, the last look, and when the dear question was asked."""
    probes: list[Probe] = []
    try:
        while True:
            probes.append(look.look(config, deep=bool(probes) or is_due(config, asked)))
            progress, asked = asked_when_due(config, probes[-1], asked)
            decision = decide(Seen(tuple(probes), progress, paused(config)), state, config.policy, time.monotonic())
            if decision.action != "probe":
                return decision, probes[-1], asked
            time.sleep(config.probe_spacing)
    except OverTime:
        seen = Seen(tuple(probes), pause=paused(config), over=True)
        return decide(seen, state, config.policy, time.monotonic()), (probes or [Probe("unknown")])[-1], asked


def paused(config: Config) -> str:
    """Say who holds the watchdog; read for each decision anew, a playbook may have come in between."""
    return store.pause_text(store.active_pauses(store.read(config.pause_file), store.clock()))


def is_due(config: Config, asked: float | None) -> bool:
    """Say whether it is time for the question that is too dear for each minute."""
    if not config.progress_interval:
        return False
    # Crontab starts each minute, give or take a second.
    return asked is None or not 0 <= time.monotonic() - asked < config.progress_interval - 5


def asked_when_due(config: Config, probe: Probe, asked: float | None) -> tuple[Progress | None, float | None]:
    """Ask the database for progress as long as the scheduler is healthy; return when the question was last asked.

    Of a worker the look itself has asked; one that did not answer well is asked by the next look, too.
    """
    if config.ping_command:
        last = time.monotonic() if probe.source == "celery ping" else asked
        return None, last if probe.heartbeat == "fresh" else None
    if probe.heartbeat != "fresh" or not is_due(config, asked):
        return None, asked
    return look.progress(config), time.monotonic()


def restart(config: Config, decision: Decision) -> str:
    """Collect evidence and restart; return the folder of the evidence."""
    from airflow_watchdog import evidence
    from airflow_watchdog.redact import redacted

    folder, secrets = collected(config, decision)
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "WATCHDOG_UNIT": config.unit,
        "WATCHDOG_REASON": decision.message,
    }
    code, said = look.run(config.restart_command, config.restart_timeout, variables)
    evidence.add(folder, "restart.txt", said, secrets)
    if code:
        last = redacted(said, secrets).strip().splitlines()[-1:] or ["it said nothing"]
        tell.journal("trouble", f"{config.restart_command[0]} ended with {code}: {last[0]}", config.unit)
    return folder


def collected(config: Config, decision: Decision) -> tuple[str, list[str]]:
    """Collect evidence; return its folder, and the secrets that it must not hold."""
    from airflow_watchdog import evidence

    name = f"{store.utc(time.time())}-{decision.verdict}".replace(":", "").replace(" ", "-")
    return evidence.collect(config, name, decision.message)


def remember_death(config: Config, at: float) -> None:
    """Write down that systemd has started the service again: a restart must not hide a crash."""
    from airflow_watchdog import ends

    last = ends.last_day(config.unit.removeprefix("airflow-").removesuffix(".service"))[-1:]
    how = ends.end_text(last[0]) if last else "for an unknown reason"
    entry = {
        "at": store.utc(at),
        "verdict": "died",
        "action": "none",
        "message": f"died {how}; systemd started it again",
    }
    store.remember(config.history_file, entry)
    tell.journal("seen", entry["message"], config.unit)


def announce(config: Config, before: dict[str, Any], record: dict[str, Any], decision: Decision, folder: str) -> None:
    """Write down what changed, and tell what is worth it."""
    paused = decision.verdict == "paused"
    changed = (before.get("verdict"), before.get("state", {}).get("stalled")) != (
        record["verdict"],
        record["state"]["stalled"],
    )
    if decision.state.died[-1:] > tuple(before.get("state", {}).get("died", ())[-1:]):
        remember_death(config, record["at"])
    if changed or decision.tell or decision.action != "none":
        entry = {"at": store.utc(record["at"]), "verdict": decision.verdict, "action": decision.action}
        store.remember(config.history_file, {**entry, "message": decision.message, "evidence": folder})
        tell.journal(decision.tell or "seen", f"{decision.verdict}: {decision.message}", config.unit)
    if decision.tell:
        tell.post(config, decision.tell, decision.message, folder)
    if config.textfile:
        try:
            store.write(config.textfile, store.metrics(config.unit, record, paused))
        except OSError:  # a full disk
            return
