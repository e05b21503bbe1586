"""How often services ended without being told to, as the units write it down (role airflow_services, record_end)."""

from __future__ import annotations

import json
import os
import time
from typing import Any

FOLDER = "/var/lib/airflow-ends"  # of root, as is the one above: root follows no link that the account laid
DAY = 24 * 3600.0


def last_day(service: str, folder: str = FOLDER) -> list[dict[str, Any]]:
    """Return the ends of a service within the last day, the oldest first: at, why and error."""
    try:
        with open(f"{folder}/{service}.jsonl", encoding="utf-8", errors="replace") as file:
            entries = [json.loads(line) for line in file]
    except (OSError, ValueError):
        return []
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - DAY))
    return [entry for entry in entries if entry["at"] >= since]


def lines(folder: str = FOLDER) -> list[str]:
    """Return a sentence without full stop for each service of this host that died within the last day."""
    try:
        names = sorted(name[: -len(".jsonl")] for name in os.listdir(folder) if name.endswith(".jsonl"))
    except OSError:  # none has ever died
        return []
    said = {name: summary(last_day(name, folder)) for name in names}
    return [f"The {name} of this host {text}" for name, text in said.items() if text]


def summary(entries: list[dict[str, Any]]) -> str:
    """Return the ends of a day in words; empty when there was none."""
    if not entries:
        return ""
    last = entries[-1]
    times = "once" if len(entries) == 1 else f"{len(entries)} times"
    return f"died {times} in the last 24 hours, the last time {end_text(last)}"


def end_text(end: dict[str, Any]) -> str:
    """Return one end in words."""
    error = f": {end['error']}" if end["error"] else ", without an error in its last minute"
    return f"at {end['at']} by {end['why']}{error}"
