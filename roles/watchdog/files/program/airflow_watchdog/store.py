"""What is kept: state and outbox in /run (a full disk does not reach it), pauses and history in /var/lib."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from airflow_watchdog.decide import State

HISTORY_LINES = 1000
BOOT = "/proc/sys/kernel/random/boot_id"


class Clock(NamedTuple):
    """The moment by the wall clock, which may jump, and by the monotonic one, which counts within one boot."""

    wall: float
    monotonic: float
    boot: str


def clock() -> Clock:
    """Return the moment."""
    with open(BOOT, encoding="ascii") as file:
        return Clock(time.time(), time.monotonic(), file.read().strip())


def utc(moment: float) -> str:
    """Return a moment of the wall clock as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def read(path: str) -> Any:
    """Return the JSON of a file; None when there is none, or it is not whole."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def write(path: str, text: str) -> None:
    """Replace a file in one step."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def lock_file(run_folder: str) -> str:
    """Return the lock that a check holds from its first look to the end of a restart."""
    return f"{run_folder}/lock"


@contextmanager
def alone(path: str) -> Iterator[bool]:
    """Hold a lock, or yield False when another process holds it; it goes with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def state_of(record: Any) -> State:
    """Return the state in the record of the last check; a fresh one when there is none, as after a boot.

    Another version of the program may have written it: what this one does not know is left out.
    """
    kept = (record or {}).get("state") or {}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
    return State(**{key: value for key, value in values.items() if key in State._fields})


def active_pauses(pauses: Any, now: Clock) -> list[dict[str, Any]]:
    """Return the pauses that have not expired; each has owner, reason, since and expires, and its end in this boot.

    A file that somebody wrote by hand may hold a single one; what is no pause holds nothing.
    """
    found = pauses if isinstance(pauses, list) else [pauses]
    whole = [each for each in found if isinstance(each, dict) and {"owner", "reason", "expires"} <= set(each)]
    return [each for each in whole if _lasts(each, now)]


def _lasts(pause: dict[str, Any], now: Clock) -> bool:
    """Say whether a pause lasts, by the wall clock only after a boot or when it was written by hand."""
    until = pause.get("until")
    if pause.get("boot") == now.boot and isinstance(until, (int, float)):
        return until > now.monotonic
    return str(pause["expires"]) > utc(now.wall)


def pause_text(pauses: list[dict[str, Any]]) -> str:
    """Say who holds the watchdog, why and until when; empty when nobody does."""
    return "; ".join(f"paused by {each['owner']} until {each['expires']} ({each['reason']})" for each in pauses)


def with_pause(pauses: Any, owner: str, reason: str, now: Clock, seconds: float) -> list[dict[str, Any]]:
    """Return the pauses with one more; an owner has one only, the newest."""
    others = [each for each in active_pauses(pauses, now) if each["owner"] != owner]
    pause = {"owner": owner, "reason": reason, "since": utc(now.wall), "expires": utc(now.wall + seconds)}
    return [*others, {**pause, "boot": now.boot, "until": now.monotonic + seconds}]


def without_pause(pauses: Any, owner: str | None, now: Clock) -> list[dict[str, Any]]:
    """Return the pauses without those of an owner, or without any for None."""
    return [each for each in active_pauses(pauses, now) if owner is not None and each["owner"] != owner]


def remember(path: str, entry: dict[str, Any]) -> None:
    """Append to the history, which keeps its newest lines; a full disk costs the line, not the restart."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        lines = history(path)
        if len(lines) > HISTORY_LINES:
            write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines[-HISTORY_LINES // 2 :]))
    except OSError:
        return


def history(path: str) -> list[dict[str, Any]]:
    """Return the entries of the history, the oldest first."""
    entries = []
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    entries.append(json.loads(line))
                except ValueError:  # half a line from a full disk
                    continue
    except OSError:
        return []
    return entries


def metrics(unit: str, record: dict[str, Any], paused: bool) -> str:
    """Return state and counters in the text format of Prometheus."""
    state = record["state"]
    values = {
        "healthy": int(record["verdict"] == "healthy"),
        "paused": int(paused),
        "gave_up": int(record["verdict"] == "gave up"),
        "stalled": int(bool(state["stalled"])),
        "restarts_total": state["total"],
        "restarts_last_hour": len(state["restarts"]),
        "last_check_timestamp_seconds": int(record["at"]),
    }
    lines = []
    for name, value in values.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [f"# TYPE airflow_watchdog_{name} {kind}", f'airflow_watchdog_{name}{{unit="{unit}"}} {value}']
    return "\n".join(lines) + "\n"
