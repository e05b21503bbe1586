"""What the DAGs of this tree share: the values of default_args and the two callbacks that mail."""

from __future__ import annotations

from html import escape
from typing import Any

import pendulum
from airflow.utils.email import send_email

from NGIOS_UTIL.config import load_config

D_OWNER = "hmgetl"
D_RUN_AS_USER = "hmgetl"
D_START_DATE = pendulum.datetime(2024, 1, 1, tz="Asia/Seoul")
D_CATCHUP = False
D_TRIGGER_RULE_DEFAULT = "all_success"


def d_success_callback(context: dict[str, Any]) -> None:
    """Mail that a task succeeded."""
    _mail("SUCCESS", "작업이 성공했습니다.", context)


def d_failure_callback(context: dict[str, Any]) -> None:
    """Mail that a task failed, with the error."""
    _mail("FAILED", f"작업이 실패했습니다: {escape(str(context.get('exception')))}", context)


def _mail(outcome: str, text: str, context: dict[str, Any]) -> None:
    """Send one mail through [smtp] of airflow.cfg; Airflow logs an error of a callback and leaves the task as it is."""
    ti = context["ti"]
    send_email(
        to=load_config("mail.json")["to"],
        subject=f"[Airflow][{outcome}] {ti.dag_id}.{ti.task_id}",
        html_content=f"<p>{text}</p><p>run_id: {escape(ti.run_id)}<br>host: {escape(ti.hostname or '-')}</p>",
    )
