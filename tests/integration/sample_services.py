"""The servers of lab/services, as the tests use them: put a file there, read the mails."""

from __future__ import annotations

import email
import email.policy
import shlex
from email.message import EmailMessage

from lab.airflow_cluster import Cluster

HOST = "mn01p"
FILE_USER = "hmgif"
MAILBOX = "/home/hmgalarm/Maildir/new"
BORDER = "=== next mail ==="


def offer_file(cluster: Cluster, name: str, content: str) -> None:
    """Put a file where SFTP and FTP find it."""
    path = shlex.quote(f"/home/{FILE_USER}/receive/{name}")
    cluster.ssh(HOST, f"printf %s {shlex.quote(content)} | sudo tee {path}")


def mails(cluster: Cluster) -> list[EmailMessage]:
    """Return all mails that have arrived, oldest first."""
    show = f"cd {MAILBOX} && for mail in *; do cat $mail; echo; echo '{BORDER}'; done"
    text = cluster.ssh(HOST, f"sudo sh -c {shlex.quote(show)}").stdout
    messages = [message for message in text.split(BORDER) if message.strip()]
    return [email.message_from_string(each.lstrip(), policy=email.policy.default) for each in messages]
