"""Send the messages of the outbox by mail and webhook."""

from __future__ import annotations

import json
import os
import smtplib
import socket
import ssl
import time
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from airflow_watchdog import airflow_cfg, store, tell
from airflow_watchdog.config import Config

TIMEOUT = 8.0  # seconds for each server


def send(config: Config, path: str, closed: set[str]) -> None:
    """Send one message on the ways that are left, and forget it when none is or it is too old.

    A way that does not work is closed for this delivery, so that it is waited for once and not for each message.
    """
    content = store.read(path)
    if content and content["expires"] > time.time():
        for way in [way for way in content["ways"] if way not in closed]:
            problem = {"mail": mail, "webhook": webhook}[way](config, content)
            if problem:
                closed.add(way)
                tell.journal("seen", f"the {way} '{content['subject']}' could not be sent: {problem}", config.unit)
            else:
                content["ways"].remove(way)
                store.write(path, json.dumps(content))  # at once: whatever the next way does, this one is done
        if content["ways"]:
            return
    os.unlink(path)


def letter(content: dict[str, Any], sender: str, receivers: list[str]) -> EmailMessage:
    """Return the mail for a message."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(receivers), f"[airflow] {content['subject']}"
    evidence = f"\nWhat it looked like before: {content['evidence']}" if content["evidence"] else ""
    # A message of the version before has none.
    restarts = "".join(f"{line}.\n\n" for line in content.get("restarts", ()))
    mail.set_content(
        f"{content['message']}.\n\nHost: {content['host']}\nUnit: {content['unit']}\n"
        f"Time: {content['at']}{evidence}\n\n{restarts}"
        "More: watchdog status, on that host. To hold the watchdog: watchdog pause --reason WHY --minutes N.\n"
    )
    return mail


def mail(config: Config, content: dict[str, Any]) -> str:
    """Send a mail through the server of airflow.cfg; return what went wrong."""
    smtp = airflow_cfg.read(config.home).get("smtp", {})
    sender = smtp.get("smtp_mail_from", f"airflow@{socket.gethostname()}")
    try:
        with connected(smtp) as connection:
            if smtp.get("smtp_user") and smtp.get("smtp_password"):
                connection.login(smtp["smtp_user"], smtp["smtp_password"])
            connection.send_message(letter(content, sender, config.mail_to))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # Only its kind: the text of the error may repeat what the server said about the login.
        return f"{smtp.get('smtp_host', 'localhost')} {type(error).__name__}"
    return ""


def connected(smtp: dict[str, str]) -> smtplib.SMTP:
    """Return a connection to the mail server, encrypted as airflow.cfg wants it; certificates are verified."""
    server, port = smtp.get("smtp_host", "localhost"), int(smtp.get("smtp_port", "25"))
    context = ssl.create_default_context()
    if smtp.get("smtp_ssl", "false").lower() == "true":
        return smtplib.SMTP_SSL(server, port, timeout=TIMEOUT, context=context)
    connection = smtplib.SMTP(server, port, timeout=TIMEOUT)
    if smtp.get("smtp_starttls", "true").lower() == "true":
        connection.starttls(context=context)
    return connection


def webhook(config: Config, content: dict[str, Any]) -> str:
    """Post the message as JSON; return what went wrong."""
    body = {key: value for key, value in content.items() if key not in ("ways", "expires")}
    try:
        url = Path(config.webhook_file).read_text(encoding="utf-8").strip()
        request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=TIMEOUT):
            return ""
    except (URLError, HTTPException, OSError, ValueError) as error:
        return type(error).__name__
