"""What people and playbooks ask for."""

from __future__ import annotations

import argparse
import fcntl
import getpass
import json
import os
import time
from typing import Any

from airflow_watchdog import ends, store
from airflow_watchdog.config import Config

HOURS = 24
MAX_MINUTES = 7 * 24 * 60


def main(config: Config, arguments: list[str]) -> int:
    """Run a command of a person."""
    chosen = parser().parse_args(arguments)
    return {"status": status, "pause": pause, "resume": resume}[chosen.command](config, chosen)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="watchdog", description="The watchdog of Airflow on this host.")
    commands = top.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("status", help="what it saw and did in the last hours")
    shown.add_argument("--hours", type=float, default=HOURS, help="how far back (default: 24)")
    shown.add_argument("--json", action="store_true", help="for programs")
    held = commands.add_parser("pause", help="let it watch but not act; ends by itself")
    held.add_argument("--reason", required=True, help="why, for the others")
    held.add_argument("--minutes", type=minutes, default=60, help="for how long (default: 60, at most a week)")
    held.add_argument("--owner", default=caller(), help="who (default: you)")
    freed = commands.add_parser("resume", help="end the pauses")
    freed.add_argument("--owner", help="only those of this owner")
    return top


def minutes(text: str) -> float:
    """Return a number of minutes."""
    value = float(text)
    if not 0 < value <= MAX_MINUTES:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MAX_MINUTES}")
    return value


def caller() -> str:
    """Return the person behind sudo."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def pause(config: Config, chosen: argparse.Namespace) -> int:
    """Hold the watchdog, and wait for a check that may not have seen it: afterwards nothing is restarted any more."""
    with open(f"{config.pause_file}.lock", "a", encoding="utf-8") as file:
        locked(file.fileno())
        pauses = store.with_pause(
            store.read(config.pause_file), chosen.owner, chosen.reason, store.clock(), chosen.minutes * 60
        )
        store.write(config.pause_file, json.dumps(pauses, ensure_ascii=False, indent=1) + "\n")
    with open(store.lock_file(config.run_folder), "a", encoding="utf-8") as file:
        locked(file.fileno())
    print(f"The watchdog is {store.pause_text(pauses)}.")
    return 0


def resume(config: Config, chosen: argparse.Namespace) -> int:
    """Let it act again."""
    with open(f"{config.pause_file}.lock", "a", encoding="utf-8") as file:
        locked(file.fileno())
        pauses = store.without_pause(store.read(config.pause_file), chosen.owner, store.clock())
        if pauses:
            store.write(config.pause_file, json.dumps(pauses, ensure_ascii=False, indent=1) + "\n")
        elif os.path.exists(config.pause_file):
            os.unlink(config.pause_file)
    print(f"The watchdog is still {store.pause_text(pauses)}." if pauses else "The watchdog acts.")
    return 0


def locked(descriptor: int) -> None:
    """Wait until nobody else holds a lock."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def status(config: Config, chosen: argparse.Namespace) -> int:
    """Show the last check, pauses, restarts and the history."""
    record = store.read(f"{config.run_folder}/state.json")
    pauses = store.active_pauses(store.read(config.pause_file), store.clock())
    since = store.utc(time.time() - chosen.hours * 3600)
    entries = [entry for entry in store.history(config.history_file) if entry["at"] >= since]
    if chosen.json:
        print(
            json.dumps(
                {
                    "last": record,
                    "pauses": pauses,
                    "history": entries,
                    "watched": config.policy.watched,
                    "ends": ends.lines(),
                }
            )
        )
    else:
        print("\n".join(report(config, record, pauses, entries)))
    return 0


def report(config: Config, record: Any, pauses: list[dict[str, Any]], entries: list[dict[str, Any]]) -> list[str]:
    """Return the status as lines for people."""
    if record is None:
        lines = [f"{config.unit}: not looked at since this host was booted; is cron running?"]
    else:
        age = time.time() - record["at"]
        lines = [f"{config.unit}: {record['verdict']}, {record['message']} (looked at {age:.0f} s ago)"]
        ill = [(unit, other) for unit, other in record.get("beside", {}).items() if other["verdict"] != "healthy"]
        lines += [f"{unit}: {other['verdict']}, {other['message']}" for unit, other in ill]
        state = record["state"]
        lines += [f"work: {state['stalled']}"] if state["stalled"] else []
        allowed = config.policy.max_restarts
        lines.append(
            f"restarts: {len(state['restarts'])} in the last hour of {allowed} allowed, {state['total']} since boot"
        )
    lines.append(store.pause_text(pauses) or "not paused")
    lines += ends.lines()
    lines += [f"{entry['at']}  {entry['verdict']}: {entry.get('message', '')}" for entry in entries[-20:]]
    return lines
