"""Write down that a service ended without being told to, before systemd starts it again and nobody sees it.

Run by the unit, as root, after every end: record_end.py SERVICE ACCOUNT AIRFLOW_CFG. Root reads the journal and writes
into a folder of its own; airflow.cfg, whose secrets no record may hold, is read as the account that it belongs to.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import time
from pathlib import Path

from airflow_watchdog.airflow_cfg import parsed, secrets_of
from airflow_watchdog.ends import FOLDER, last_day
from airflow_watchdog.redact import line, redacted

LINES = 300  # of the journal
KEPT = 100  # ends of a day; one that dies every few seconds is told by its number alone
LIMIT = 10.0  # seconds for each command: systemd waits for this before it restarts the service
TRACEBACK = "Traceback (most recent call last):"
FAILURE = re.compile(r"\b(ERROR|CRITICAL|FATAL)\b")


def why(result: str, code: str, status: str) -> str:
    """Return in words how the main process ended, from what systemd hands over."""
    kind = {"exited": f"exit code {status}", "killed": f"signal {status}", "dumped": f"signal {status}, with a core"}
    how = kind.get(code, result)
    return how if result in ("success", "exit-code", "signal", "core-dump") else f"{how} ({result})"


def last_error(log: str) -> str:
    """Return the line that says why: that of the last exception, else the last one that calls itself an error."""
    lines = log.splitlines()
    begins = [number for number, text in enumerate(lines) if text.strip() == TRACEBACK]
    after = lines[begins[-1] + 1 :] if begins else []
    exception = next((text for text in after if text and not text[0].isspace()), "")
    return exception or next((text for text in reversed(lines) if FAILURE.search(text)), "")


def run(command: list[str], account: str = "root") -> str:
    """Return what a command says; nothing when it cannot run or takes too long."""
    try:
        ids = pwd.getpwnam(account)
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
            user=ids.pw_uid,
            group=ids.pw_gid,
            extra_groups=[],
        )
    except (OSError, subprocess.SubprocessError, KeyError):
        return ""
    return done.stdout.decode(errors="replace")


def journal(invocation: str) -> str:
    """Return the last lines that this run of the service wrote; an error of an hour ago did not end it."""
    run(["/usr/bin/journalctl", "--sync"])
    command = ["/usr/bin/journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={LINES}", "--since=-1min"]
    return run([*command, f"_SYSTEMD_INVOCATION_ID={invocation}"])


def is_told(unit: str) -> bool:
    """Say whether somebody stops or restarts the unit; then its end is no surprise."""
    return run(["/usr/bin/systemctl", "show", "--property=Job", "--value", unit]).strip() not in ("", "0")


def main(service: str, account: str, config: str) -> None:
    """Add one end to those of the last day."""
    given = os.environ
    if is_told(f"airflow-{service}.service"):
        return
    secrets = secrets_of(parsed(run(["/usr/bin/head", "--bytes=1000000", config], account)))
    error = redacted(last_error(journal(given.get("INVOCATION_ID", ""))), secrets)
    end = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "why": why(given.get("SERVICE_RESULT", ""), given.get("EXIT_CODE", ""), given.get("EXIT_STATUS", "")),
        "error": line(error),
    }
    os.umask(0o022)  # the watchdog, another account, reads it
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    kept = [*last_day(service), end][-KEPT:]
    new = folder / f".{service}.new"
    new.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in kept), encoding="utf-8")
    new.rename(folder / f"{service}.jsonl")


if __name__ == "__main__":
    main(*sys.argv[1:])
