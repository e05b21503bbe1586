"""Following work that takes several calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_ops.follow import follow


def test_each_call_gets_what_the_one_before_left_and_the_rest_of_the_time() -> None:
    now, calls, said = [100.0], [], []  # type: ignore[var-annotated]
    answers: list[dict[str, Any]] = [
        {"lines": ["a: running"], "again": {"seen": {"a": "running"}}},
        {"lines": [], "again": {"seen": {"a": "running"}}},
        {"lines": ["a: success"], "again": None, "state": "success"},
    ]

    def call(more: Mapping[str, Any]) -> dict[str, Any]:
        calls.append(dict(more))
        now[0] += 30
        return answers.pop(0)

    assert follow(call, said.append, 50, lambda: now[0])["state"] == "success"
    assert said == ["a: running", "a: success"]
    assert calls == [
        {"left": 50},
        {"seen": {"a": "running"}, "left": 20},
        {"seen": {"a": "running"}, "left": 0},
    ]


def test_a_process_whose_run_was_killed_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def call(more: Mapping[str, Any]) -> dict[str, Any]:
        calls.append(more)
        monkeypatch.setattr("os.getppid", lambda: 1)
        return {"again": {}}

    follow(call, print, 600)
    assert len(calls) == 1


def test_a_failure_ends_it() -> None:
    failure = {"failed": True, "msg": "No run was made."}
    assert follow(lambda _: failure, print, 10) == failure
