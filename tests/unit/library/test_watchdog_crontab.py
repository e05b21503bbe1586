"""Exactly one entry in the crontab, whatever was there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.watchdog_crontab import MARK, is_watchdog, planned, replaced

COMMAND = "sh /usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh"
MANUAL = "*/1 * * * * sh /usr/hmg/2.2.1.0-552/airflow/dags/NGIOS_UTIL/serviceCheckAndRun.sh"
OURS = f"{MARK}\n* * * * * {COMMAND}\n"
OTHER = "0 3 * * * /usr/bin/backup\n"


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        pytest.param("", OURS, [], id="no crontab"),
        pytest.param(OURS, OURS, [], id="as wanted"),
        pytest.param(OTHER, OTHER + OURS, [], id="other entries stay"),
        pytest.param(f"{MANUAL}\n{OTHER}", OTHER + OURS, [MANUAL], id="the manual's entry is replaced"),
        pytest.param(f"{OURS}{MANUAL}\n", OURS, [MANUAL], id="a second one beside ours goes"),
        pytest.param(f"{OURS}{OTHER}", f"{OURS}{OTHER}", [], id="ours keeps its place"),
        pytest.param(f"# {MANUAL}\n", f"# {MANUAL}\n{OURS}", [], id="a comment is none"),
        pytest.param("0 3 * * * x", f"0 3 * * * x\n{OURS}", [], id="a last line without its end"),
        pytest.param("MAILTO=root\n" + MANUAL, f"MAILTO=root\n{OURS}", [MANUAL], id="settings stay"),
    ],
)
def test_plan(before: str, after: str, gone: list[str]) -> None:
    assert planned(before, COMMAND) == after
    assert replaced(before, COMMAND) == gone


def test_no_entry() -> None:
    assert planned(OTHER + OURS, "") == OTHER
    assert replaced(OURS, "") == [f"* * * * * {COMMAND}"]
    assert planned(OTHER, "") == OTHER


@given(st.lists(st.sampled_from([MANUAL, MARK, f"* * * * * {COMMAND}", "0 3 * * * x", "# y", ""])))
def test_a_plan_has_one_entry_keeps_the_rest_and_is_stable(lines: list[str]) -> None:
    before = "".join(f"{line}\n" for line in lines)
    after = planned(before, COMMAND)
    assert [line for line in after.splitlines() if is_watchdog(line)] == [f"* * * * * {COMMAND}"]
    rest = [line for line in lines if line != MARK and not is_watchdog(line)]
    assert [line for line in after.splitlines() if line != MARK and not is_watchdog(line)] == rest
    assert planned(after, COMMAND) == after
