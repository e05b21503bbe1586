"""Write down that a service ended without being told to, before systemd starts it again and nobody sees it.

Root does it: the journal alone says why, and the account may not read it. But not root as a part of the unit, whose
environment the site fills (LD_LIBRARY_PATH, for example): the unit calls by a socket, as the account, and waits. Of the
caller root believes nothing but which service it is; how that ended, and whether somebody ordered it, systemd says.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from airflow_watchdog.airflow_cfg import parsed, secrets_of
from airflow_watchdog.ends import FOLDER, last_day
from airflow_watchdog.redact import line, redacted

SOCKET = "/run/record-airflow-end.socket"
NAME = re.compile(r"[a-z]{1,20}")
PROPERTIES = "SubState,Job,Result,ExecMainCode,ExecMainStatus,InvocationID"
LINES = 300  # of the journal
KEPT = 100  # ends of a day; one that dies every few seconds is told by its number alone
LIMIT = 10.0  # seconds for each command: systemd waits for this before it restarts the service
TRACEBACK = "Traceback (most recent call last):"
WITHHELD = "(not shown: airflow.cfg cannot be read, so nobody knows which secrets the line holds)"
FAILURE = re.compile(r"\b(ERROR|CRITICAL|FATAL)\b")


def why(shown: dict[str, str]) -> str:
    """Return in words how the main process ended, from what systemd shows of its unit; codes as in waitid(2)."""
    result, code, status = shown["Result"], shown["ExecMainCode"], shown["ExecMainStatus"]
    died = f"signal {name_of(int(status))}"
    how = {"1": f"exit code {status}", "2": died, "3": f"{died}, with a core"}.get(code, result)
    return how if result in ("success", "exit-code", "signal", "core-dump") else f"{how} ({result})"


def name_of(number: int) -> str:
    """Return the name of a signal without its SIG, its number where it has none."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


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


def journal(unit: str, invocation: str) -> str:
    """Return the last lines that this run of the service wrote; an error of an hour ago did not end it."""
    run(["/usr/bin/journalctl", "--sync"])
    command = ["/usr/bin/journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={LINES}", "--since=-1min"]
    return run([*command, f"_SYSTEMD_UNIT={unit}", f"_SYSTEMD_INVOCATION_ID={invocation}"])


def shown_of(unit: str) -> dict[str, str]:
    """Return what systemd shows of a unit."""
    said = run(["/usr/bin/systemctl", "show", f"--property={PROPERTIES}", unit])
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def is_surprise(shown: dict[str, str]) -> bool:
    """Say whether a unit is at its end now, and nobody stops or restarts it, nor kept it from starting."""
    return (
        shown.get("SubState") == "stop-post"
        and shown.get("Job", "0") in ("", "0")
        and shown["Result"] != "exec-condition"
    )


def error_of(log: str, cfg: dict[str, dict[str, str]]) -> str:
    """Return the line that says why, without the secrets of airflow.cfg; where they are not known, no line."""
    error = last_error(log)
    return line(redacted(error, secrets_of(cfg))) if cfg or not error else WITHHELD


def record(service: str, account: str, config: str) -> None:
    """Add one end to those of the last day; airflow.cfg is read as the account that it belongs to."""
    unit = f"airflow-{service}.service"
    shown = shown_of(unit)
    if not is_surprise(shown):
        return
    cfg = parsed(run(["/usr/bin/head", "--bytes=1000000", config], account))
    end = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "why": why(shown),
        "error": error_of(journal(unit, shown["InvocationID"]), cfg),
    }
    write(service, [*last_day(service), end][-KEPT:], pwd.getpwnam(account).pw_gid)


def write(service: str, ends: list[dict[str, str]], group: int) -> None:
    """Write the ends where the watchdog, another account, reads them: what the journal says is not for everybody."""
    folder = Path(FOLDER)
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = folder / f".{service}.new"
    new.touch(mode=0o640)
    for path, mode in ((folder, 0o750), (new, 0o640)):
        os.chown(path, -1, group)
        path.chmod(mode)
    new.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in ends), encoding="utf-8")
    new.rename(folder / f"{service}.jsonl")


def call(service: str) -> None:
    """Tell root which service has ended, and wait until it is written down."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(3 * LIMIT)
        connection.connect(SOCKET)
        connection.sendall(service.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def answer(account: str, config: str) -> None:
    """Write down the end of the service that is named on standard input, a connection."""
    service = sys.stdin.read(100)
    if NAME.fullmatch(service):
        record(service, account, config)
