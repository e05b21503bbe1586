"""The decision of MAIN_DAG: which of its scheduled runs goes on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from NGIOS_UTIL.config import load_config
from NGIOS_UTIL.schedule_rule import Rule, business_day_of_month, reason_to_skip

SEOUL = ZoneInfo("Asia/Seoul")
HOLIDAYS = frozenset({date(2026, 1, 1), date(2026, 5, 5)})
RULE = Rule(
    timezone=SEOUL,
    hours=frozenset({7}),
    business_days_of_month=frozenset({2}),
    holidays=HOLIDAYS,
    late_start=timedelta(minutes=10),
)


@pytest.mark.parametrize(
    ("day", "number"),
    [
        pytest.param(date(2026, 7, 1), 1, id="the first is a Wednesday"),
        pytest.param(date(2026, 7, 2), 2, id="the day after"),
        pytest.param(date(2026, 7, 4), 0, id="a Saturday"),
        pytest.param(date(2026, 7, 5), 0, id="a Sunday"),
        pytest.param(date(2026, 7, 6), 4, id="Monday counts on after the weekend"),
        pytest.param(date(2026, 1, 1), 0, id="a holiday"),
        pytest.param(date(2026, 1, 2), 1, id="the first business day is after the holiday"),
        pytest.param(date(2026, 8, 3), 1, id="a month that begins at the weekend"),
        pytest.param(date(2026, 7, 31), 23, id="the last of the month"),
    ],
)
def test_business_day_of_month(day: date, number: int) -> None:
    assert business_day_of_month(day, HOLIDAYS) == number


@pytest.mark.parametrize(
    ("due", "late", "reason"),
    [
        pytest.param("2026-07-02T07:00", 0, None, id="the second business day at seven"),
        pytest.param("2026-07-02T07:00", 600, None, id="as late as allowed"),
        pytest.param("2026-07-02T07:00", 601, "more than 0:10:00 ago", id="a second too late"),
        pytest.param("2026-07-02T07:00", 5 * 3600, "more than 0:10:00 ago", id="switched on at noon"),
        pytest.param("2026-07-01T07:00", 3, "is business day 1, not one of", id="the first business day"),
        pytest.param("2026-07-04T07:00", 3, "is business day 0, not one of", id="a Saturday"),
        pytest.param("2026-05-06T07:00", 3, "is business day 3, not one of", id="the day after a holiday"),
        pytest.param("2026-07-02T08:00", 3, "08:00 is not in the hours", id="another hour"),
        pytest.param("2026-01-05T07:00", 3, None, id="a holiday and a weekend before"),
    ],
)
def test_reason_to_skip(due: str, late: int, reason: str | None) -> None:
    at = datetime.fromisoformat(due).replace(tzinfo=SEOUL)
    found = reason_to_skip(due=at, now=at + timedelta(seconds=late), rule=RULE)
    assert found is None if reason is None else reason in (found or "")


def test_the_hour_is_that_of_the_rule_not_of_utc() -> None:
    due = datetime(2026, 7, 1, 22, 0, tzinfo=ZoneInfo("UTC"))  # 07:00 on 2 July in Seoul
    assert reason_to_skip(due=due, now=due, rule=RULE) is None


def test_the_rule_of_the_tree_is_readable() -> None:
    rule = Rule.from_config(load_config("schedule.json")["MAIN_DAG"])
    assert rule.timezone == SEOUL
    assert date(2026, 1, 1) in rule.holidays
    assert rule.late_start == timedelta(minutes=10)
