"""What people write as the conf of a run, and what they read about the run."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.dag_runs import conf_of, outcome, waits


@pytest.mark.parametrize(
    ("value", "conf"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="a mapping"),
        pytest.param('{"a": {"b": [1, null]}, "말": "안녕"}', {"a": {"b": [1, None]}, "말": "안녕"}, id="text"),
        pytest.param("", {}, id="empty text"),
        pytest.param(None, {}, id="null"),
        pytest.param("{}", {}, id="empty object"),
    ],
)
def test_a_conf_is_read(value: object, conf: dict[str, Any]) -> None:
    assert conf_of(value) == conf


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("[1, 2]", "is a list", id="a list as text"),
        pytest.param([1, 2], "is a list", id="a list"),
        pytest.param('"text"', "is a str", id="a string"),
        pytest.param("5", "is a int", id="a number"),
        pytest.param(True, "is a bool", id="a boolean"),
        pytest.param("{'a': 1}", "is no JSON", id="single quotes"),
        pytest.param("a=1", "is no JSON", id="a pair"),
        pytest.param('{"a": 1', "is no JSON", id="not closed"),
        pytest.param('{"a": NaN}', "NaN", id="what Python takes and JSON does not"),
    ],
)
def test_anything_but_an_object_is_refused_in_one_sentence(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        conf_of(value)
    assert "\n" not in str(refusal.value)


def test_a_refusal_does_not_repeat_a_text_that_may_hold_a_secret() -> None:
    with pytest.raises(ValueError, match="no JSON") as refusal:
        conf_of('{"password": "s3cr3t",}')
    assert "s3cr3t" not in str(refusal.value)


def result(**values: object) -> dict[str, Any]:
    return {"run_id": "r1", "state": "running", "tasks": {}, "failures": [], "paused": False, **values}


@pytest.mark.parametrize(
    ("values", "waited", "fine", "sentence"),
    [
        pytest.param({"run_id": None, "state": None}, False, True, "DAG d would be triggered.", id="preview"),
        pytest.param({"state": "queued"}, False, True, "Run r1 of DAG d was made.", id="not waited for"),
        pytest.param(
            {"state": "queued", "paused": True},
            False,
            True,
            "Run r1 of DAG d was made. The DAG is paused: the run waits until it is switched on.",
            id="forced",
        ),
        pytest.param(
            {"state": "success", "tasks": {"a": "success", "b": "skipped", "c": "success"}},
            True,
            True,
            "Run r1 of DAG d ended as success (1 skipped, 2 success).",
            id="success",
        ),
        pytest.param(
            {
                "state": "failed",
                "tasks": {"a": "failed", "b": "failed", "c": "upstream_failed"},
                "failures": [{"task": "a", "host": "dn01p", "log": ["one"]}, {"task": "b", "host": "", "log": []}],
            },
            True,
            False,
            "Run r1 of DAG d failed (2 failed, 1 upstream_failed): a on dn01p, b on no host.",
            id="failed",
        ),
        pytest.param({"state": "failed"}, True, False, "Run r1 of DAG d failed (no tasks): no task.", id="by hand"),
        pytest.param(
            {"tasks": {"a": "running"}},
            True,
            False,
            "Run r1 of DAG d has not ended in time and goes on (1 running).",
            id="time is over",
        ),
        pytest.param(
            {"tasks": {"a": "queued"}, "waiting": ["a queued: no worker listens to queue x", "no scheduler"]},
            True,
            False,
            "Run r1 of DAG d has not ended in time and goes on (1 queued). It waits: a queued: no worker listens to "
            "queue x; no scheduler.",
            id="waiting",
        ),
        pytest.param({"state": "deleted"}, True, False, "Run r1 of DAG d was deleted meanwhile.", id="deleted"),
    ],
)
def test_an_outcome_is_told(values: dict[str, object], waited: bool, fine: bool, sentence: str) -> None:
    assert outcome("d", result(**values), waited) == (fine, sentence)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"tasks": {"a": "queued"}}, True),
        ({"tasks": {"a": "running", "b": "scheduled"}}, True),
        ({"state": "queued"}, True),
        ({"tasks": {"a": "running", "b": "none"}}, False),
        ({"tasks": {"a": "queued"}, "state": "failed"}, False),
        ({"run_id": None, "state": None}, False),
    ],
)
def test_only_a_run_that_waits_is_asked_why(values: dict[str, object], expected: bool) -> None:
    assert waits(result(**values)) is expected


def test_a_run_that_was_lost_is_not_asked_why() -> None:
    assert not waits({"run_id": "r1", "failed": True, "msg": "no database"})
