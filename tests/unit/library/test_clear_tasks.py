"""Clearing tasks, as far as it can be judged without Airflow."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from ansible.module_utils.airflow_inside.clear_tasks import bound, described, digest, matching, refusal, unknown

from filter_plugins.clear_tasks_problems import problems
from filter_plugins.clear_tasks_table import table

TASKS = ["load", "reload", "section.load", "check"]


@pytest.mark.parametrize(
    ("pattern", "tasks"),
    [
        pytest.param("load", ["load"], id="the whole id, unlike airflow tasks clear"),
        pytest.param(".*load", ["load", "reload", "section.load"], id="a pattern"),
        pytest.param("load|check", ["load", "check"], id="two"),
        pytest.param(".*", TASKS, id="all"),
        pytest.param("loa", [], id="none"),
    ],
)
def test_a_pattern_matches_whole_ids(pattern: str, tasks: list[str]) -> None:
    assert matching(pattern, TASKS) == tasks


@pytest.mark.parametrize(
    ("text", "is_end", "moment"),
    [
        pytest.param("2026-03-14", False, datetime(2026, 3, 14), id="first moment of a day"),
        pytest.param("2026-03-14", True, datetime(2026, 3, 14, 23, 59, 59, 999999), id="last moment of a day"),
        pytest.param("2026-03-14T09:26", True, datetime(2026, 3, 14, 9, 26), id="a moment"),
        pytest.param("2026-03-14T09:26:00Z", False, datetime(2026, 3, 14, 9, 26, tzinfo=timezone.utc), id="UTC"),
        pytest.param(
            "2026-03-14T09:26:00+09:00",
            True,
            datetime(2026, 3, 14, 9, 26, tzinfo=timezone(timedelta(hours=9))),
            id="a zone",
        ),
    ],
)
def test_a_date_alone_is_a_whole_day(text: str, is_end: bool, moment: datetime) -> None:
    assert bound(text, is_end) == moment


def test_instances_are_sorted_and_mapped_ones_have_their_index() -> None:
    rows = [
        SimpleNamespace(dag_id="d", run_id="r2", task_id="a", map_index=-1, state=None),
        SimpleNamespace(dag_id="d", run_id="r1", task_id="b", map_index=3, state="failed"),
    ]
    found = described(rows)
    assert table(found) == ["DAG  RUN  TASK  STATE", "d    r1   b[3]  failed", "d    r2   a     none"]
    assert "2 task instances of 2 runs are more than clear_tasks_limit (1)" in refusal(found, 1, "")
    assert "are not those that were shown" in refusal(found, 2, "000000000000")
    assert [refusal(found, 2, expected) for expected in ("", digest(found))] == ["", ""]


def test_a_digest_is_of_the_same_instances_in_the_same_states() -> None:
    one = {"dag": "d", "run": "r1", "task": "a", "state": "failed"}
    assert digest([one]) == digest([dict(reversed(one.items()))])
    assert (
        len({digest([one]), digest([{**one, "state": "running"}]), digest([one, {**one, "task": "b"}]), digest([])})
        == 4
    )


def test_what_is_unknown_is_told_with_what_was_perhaps_meant() -> None:
    assert unknown("DAG", "MAIN_DAGS", ["MAIN_DAG"]) == "DAG MAIN_DAGS does not exist, did you mean MAIN_DAG?"
    assert unknown("DAG", "x", ["MAIN_DAG"]) == "DAG x does not exist."


REQUEST = {"dag_id": "MAIN_DAG", "pattern": ".*", "run_id": "", "start": "", "end": "", "limit": 100}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"run_id": "manual__1"}, [], id="a run"),
        pytest.param({"start": "2026-03-14", "end": "2026-03-14"}, [], id="a day"),
        pytest.param({"end": "2026-03-14T09:26:00+09:00"}, [], id="up to a moment"),
        pytest.param({}, ["every run"], id="neither run nor window"),
        pytest.param({"run_id": "r", "start": "2026-03-14"}, ["are both set"], id="both"),
        pytest.param({"run_id": "r", "dag_id": "a b"}, ["clear_tasks_dag_id is 'a b'"], id="no DAG id"),
        pytest.param({"run_id": "r", "dag_id": ""}, ["clear_tasks_dag_id is ''"], id="empty DAG id"),
        pytest.param({"run_id": "r", "pattern": "("}, ["no regular expression"], id="no pattern"),
        pytest.param({"run_id": "r", "limit": "0"}, ["clear_tasks_limit is '0'"], id="no limit"),
        pytest.param({"run_id": "r", "limit": "many"}, ["clear_tasks_limit is 'many'"], id="a word as limit"),
        pytest.param({"start": "14.03.2026"}, ["clear_tasks_start is '14.03.2026'"], id="no ISO date"),
        pytest.param({"start": "2026-13-01"}, ["clear_tasks_start"], id="no such month"),
        pytest.param({"start": "2026-03-15", "end": "2026-03-14"}, ["is before"], id="backwards"),
        pytest.param(
            {"pattern": "[", "dag_id": "/", "limit": "-1"},
            ["clear_tasks_dag_id", "clear_tasks_pattern", "clear_tasks_limit", "every run"],
            id="everything at once",
        ),
    ],
)
def test_a_request_is_judged(values: dict[str, str], words: list[str]) -> None:
    found = problems({**REQUEST, **values})
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))
