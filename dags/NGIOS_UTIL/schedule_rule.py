"""A finer schedule than cron: decide whether a run of a MAIN_DAG is due.

Two reasons, both from practice: a DAG that is switched on starts at once for the last schedule that it missed, and cron
cannot say "the second business day of the month, unless it is a holiday". Nothing here imports Airflow, so a
plain unit test reaches every case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

SATURDAY = 5


@dataclass(frozen=True)
class Rule:
    """When a DAG may run; the fields are those of NGIOS_CONFIG/schedule.json."""

    timezone: ZoneInfo
    hours: frozenset[int]
    business_days_of_month: frozenset[int]
    holidays: frozenset[date]
    late_start: timedelta

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Rule:
        """Build a rule from one entry of NGIOS_CONFIG/schedule.json."""
        return cls(
            timezone=ZoneInfo(config["timezone"]),
            hours=frozenset(config["hours"]),
            business_days_of_month=frozenset(config["business_days_of_month"]),
            holidays=frozenset(date.fromisoformat(day) for day in config["holidays"]),
            late_start=timedelta(minutes=config["late_start_minutes"]),
        )


def business_day_of_month(day: date, holidays: frozenset[date]) -> int:
    """Return 1 for the first business day of the month, 2 for the second, ...; 0 when nobody works on that day."""
    if not _is_business_day(day, holidays):
        return 0
    days = (day.replace(day=number) for number in range(1, day.day + 1))
    return sum(_is_business_day(each, holidays) for each in days)


def reason_to_skip(due: datetime, now: datetime, rule: Rule) -> str | None:
    """Return why the run that was due at that time must not start now, or None when it may."""
    local = due.astimezone(rule.timezone)
    if now - due > rule.late_start:
        return f"it was due at {local:%Y-%m-%d %H:%M}, more than {rule.late_start} ago"
    if local.hour not in rule.hours:
        return f"{local:%H:%M} is not in the hours {sorted(rule.hours)}"
    number = business_day_of_month(local.date(), rule.holidays)
    if number not in rule.business_days_of_month:
        return f"{local:%Y-%m-%d} is business day {number}, not one of {sorted(rule.business_days_of_month)}"
    return None


def _is_business_day(day: date, holidays: frozenset[date]) -> bool:
    return day.weekday() < SATURDAY and day not in holidays
