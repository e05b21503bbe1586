"""Tell: the journal at once; mail and webhook from an outbox: a slow server delays nothing, and nothing is lost."""

from __future__ import annotations

import json
import os
import socket
import time

from airflow_watchdog import ends, store
from airflow_watchdog.config import Config

JOURNAL = "/run/systemd/journal/socket"
# journalctl MESSAGE_ID=... finds all messages of one kind, in every version.
MESSAGE_IDS = {
    "restarted": "6d1f0a1be9c84a4e9a8a1c27c4f6a101",
    "gave up": "6d1f0a1be9c84a4e9a8a1c27c4f6a102",
    "recovered": "6d1f0a1be9c84a4e9a8a1c27c4f6a103",
    "trouble": "6d1f0a1be9c84a4e9a8a1c27c4f6a104",
    "stalled": "6d1f0a1be9c84a4e9a8a1c27c4f6a105",
    "second": "6d1f0a1be9c84a4e9a8a1c27c4f6a106",
    "seen": "6d1f0a1be9c84a4e9a8a1c27c4f6a100",
}
SUBJECTS = {
    "restarted": "was restarted",
    "gave up": "does not come back, the watchdog gave up",
    "recovered": "is healthy again",
    "trouble": "is in trouble",
    "stalled": "is healthy but no work goes on",
    "second": "is not the only scheduler",
}
PRIORITIES = {"recovered": 5, "seen": 6}  # notice and info; everything else is a warning
KEEP = 24 * 3600.0  # a message that could not be sent for a day says nothing new


def journal(kind: str, message: str, unit: str) -> None:
    """Write to the journal with a stable message id."""
    fields = {
        "MESSAGE": message.replace("\n", " "),
        "MESSAGE_ID": MESSAGE_IDS[kind],
        "PRIORITY": PRIORITIES.get(kind, 4),
        "SYSLOG_IDENTIFIER": "airflow-watchdog",
        "AIRFLOW_UNIT": unit,
    }
    text = "".join(f"{key}={value}\n" for key, value in fields.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(text.encode(), JOURNAL)
    except OSError:  # a host without journal still wants its restart
        return


def post(config: Config, kind: str, message: str, folder: str) -> None:
    """Put a message into the outbox."""
    # The webhook first: a mail server has more ways to be slow.
    ways = [way for way, wanted in (("webhook", config.webhook_file), ("mail", config.mail_to)) if wanted]
    if not ways:
        return
    here, moment = socket.gethostname(), time.time()
    content = {
        "kind": kind,
        "host": here,
        "unit": config.unit,
        "at": store.utc(moment),
        "subject": f"{config.unit.rpartition('.')[0]} on {here} {SUBJECTS[kind]}",
        "message": message,
        "restarts": ends.lines(),
        "evidence": folder,
        "ways": ways,
        "expires": moment + KEEP,
    }
    store.write(f"{config.run_folder}/outbox/{moment:.6f}.json", json.dumps(content))


def waiting(config: Config) -> list[str]:
    """Return the names of the messages in the outbox, the oldest first."""
    return sorted(name for name in os.listdir(f"{config.run_folder}/outbox") if name.endswith(".json"))


def deliver(config: Config) -> None:
    """Send what lies in the outbox; what cannot be sent stays for the next minute."""
    from airflow_watchdog.send import send

    closed: set[str] = set()
    with store.alone(f"{config.run_folder}/outbox.lock") as mine:
        for name in waiting(config) if mine else ():
            try:
                send(config, f"{config.run_folder}/outbox/{name}", closed)
            except Exception as error:  # one message that cannot be read keeps no other one back
                journal("seen", f"the message {name} could not be sent: {type(error).__name__}", config.unit)
