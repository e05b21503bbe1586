"""Receive files of other systems through SFTP and FTP (connections sftp_receive and ftp_receive)."""

from __future__ import annotations

import io
import posixpath

from airflow.exceptions import AirflowFailException

# FTPHook is in the provider ftp: `from airflow.providers.sftp.hooks.sftp import FTPHook` does not exist.
from airflow.providers.ftp.hooks.ftp import FTPHook
from airflow.providers.sftp.hooks.sftp import SFTPHook

from NGIOS_UTIL.config import load_config


def remote_path(conf_fname: str, P_YYYYMMDD: str) -> str:
    """Return the path of the day's file; refuse a run that was triggered without its business date at once."""
    if len(P_YYYYMMDD) != 8 or not P_YYYYMMDD.isdigit():
        raise AirflowFailException(f"P_YYYYMMDD is {P_YYYYMMDD!r}; trigger with conf, as {{'P_YYYYMMDD': '20240115'}}")
    config = load_config(conf_fname)
    return posixpath.join(config["folder"], config["file"].format(P_YYYYMMDD=P_YYYYMMDD))


def sftp_sensor(conf_fname: str, P_YYYYMMDD: str) -> bool:
    """Tell whether the day's file has arrived."""
    hook = SFTPHook(ssh_conn_id="sftp_receive")
    try:
        return hook.path_exists(remote_path(conf_fname, P_YYYYMMDD))
    finally:
        hook.close_conn()


def sftp_read(conf_fname: str, P_YYYYMMDD: str) -> int:
    """Return the number of records in the day's file (the first line is its header)."""
    hook = SFTPHook(ssh_conn_id="sftp_receive")
    content = io.BytesIO()
    try:
        hook.get_conn().getfo(remote_path(conf_fname, P_YYYYMMDD), content)
    finally:
        hook.close_conn()
    return len(content.getvalue().splitlines()) - 1


def ftp_list(conf_fname: str) -> list[str]:
    """Return the names of the files that lie ready on the FTP server."""
    with FTPHook(ftp_conn_id="ftp_receive") as hook:
        return sorted(posixpath.basename(name) for name in hook.list_directory(load_config(conf_fname)["folder"]))
