"""What the events of a run become: hosts, failures, messages, and the exit code."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.cli.outcome import Outcome
from airflow_ops.cli.watch import Watch, log_lines, message

CENSORED = {"censored": "the output has been hidden"}


def task(name: str, action: str = "ansible.builtin.command", role: str = "some_role") -> dict[str, Any]:
    return {"event": "playbook_on_task_start", "event_data": {"task": name, "task_action": action, "role": role}}


def result(kind: str, host: str, res: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    data = {"host": host, "task": "t", "role": "r", "task_action": "a", "res": res or {}, **more}
    return {"event": f"runner_on_{kind}", "event_data": data}


def line(text: str) -> dict[str, Any]:
    return {"event": "verbose", "stdout": text}


def stats(severity: str) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "event_data": {"artifact_data": {"drift_severity": severity}}}


def watched(*events: dict[str, Any]) -> Watch:
    watch = Watch()
    for event in events:
        watch.take(event)
    return watch


WORK = task("do it")
CHANGED = {"changed": True}


@pytest.mark.parametrize(
    ("events", "code", "outcome"),
    [
        ([WORK, result("ok", "a", CHANGED)], 0, Outcome.DONE),
        ([], 0, Outcome.DONE),
        ([WORK, result("failed", "a")], 2, Outcome.FAILED),
        ([WORK, result("ok", "a", CHANGED), result("failed", "a")], 2, Outcome.FAILED),
        ([WORK, result("ok", "a"), result("failed", "b")], 2, Outcome.FAILED),
        ([WORK, result("ok", "a", CHANGED), result("failed", "b")], 2, Outcome.PARTLY),
        ([WORK, result("ok", "a", CHANGED), result("unreachable", "b")], 4, Outcome.PARTLY),
        ([WORK, result("ok", "a"), result("unreachable", "b")], 4, Outcome.UNREACHABLE),
        ([WORK, result("failed", "a"), result("unreachable", "b")], 6, Outcome.UNREACHABLE),
        ([WORK, result("failed", "a", {"failure": "unreachable"})], 2, Outcome.UNREACHABLE),
        ([WORK, result("failed", "a", {"failure": "locked"})], 2, Outcome.LOCKED),
        ([WORK, result("failed", "a", {"failure": "refused"})], 2, Outcome.REFUSED),
        ([WORK, result("failed", "a", {"failure": "what is this"})], 2, Outcome.FAILED),
        ([task("c", "ansible.builtin.assert"), result("failed", "a")], 2, Outcome.REFUSED),
        ([task("c", "ansible.builtin.validate_argument_spec"), result("failed", "a")], 2, Outcome.REFUSED),
        ([task("c", "preflight_inventory"), result("ok", "a"), WORK, result("failed", "a")], 2, Outcome.FAILED),
        ([WORK, result("ok", "a"), task("c", "ansible.builtin.assert"), result("failed", "a")], 2, Outcome.FAILED),
        ([line("[ERROR]: no hosts to target.")], 1, Outcome.REFUSED),
        ([WORK], 250, Outcome.FAILED),
        ([WORK, result("failed", "a"), stats("warning")], 2, Outcome.WARNING),
        ([WORK, result("failed", "a"), stats("error")], 2, Outcome.FAILED),
        ([WORK, result("unreachable", "a"), result("failed", "b"), stats("warning")], 2, Outcome.UNREACHABLE),
        ([WORK, result("ok", "a"), stats("warning")], 0, Outcome.DONE),
    ],
)
def test_the_exit_code(events: list[dict[str, Any]], code: int, outcome: Outcome) -> None:
    watch = watched(*events)
    assert watch.judge(code) is outcome
    assert watch.judge(code, interrupted=True) is (Outcome.INTERRUPTED if code else Outcome.DONE)


def test_the_values_are_those_of_the_design() -> None:
    assert {outcome.name: int(outcome) for outcome in Outcome} == {
        "DONE": 0, "FAILED": 2, "UNREACHABLE": 3, "PARTLY": 4, "REFUSED": 5, "LOCKED": 6,
        "WARNING": 7, "INTERRUPTED": 130,
    }  # fmt: skip


def test_an_ignored_failure_is_none() -> None:
    watch = watched(WORK, result("failed", "a", ignore_errors=True))
    assert (watch.failures, watch.hosts["a"].word) == ([], "waiting")


def test_a_failed_host_is_one_line_with_host_role_task_and_message() -> None:
    watch = watched(WORK, result("failed", "dn01p", {"msg": "first\nsecond"}))
    assert watch.reasons() == ["dn01p: r: t: first second"]


def test_one_action_for_many_hosts_names_those_to_blame() -> None:
    res = {"msg": "c could not be reached", "failure": "unreachable", "failed_hosts": ["c"]}
    watch = watched(WORK, result("failed", "a", res))
    assert watch.reasons() == ["c: r: t: c could not be reached"]
    assert (watch.bad_hosts(), watch.hosts["c"].word, watch.hosts["a"].word) == (["c"], "unreachable", "waiting")
    assert watch.judge(2) is Outcome.UNREACHABLE


def test_a_dag_run_that_failed_shows_the_logs_of_its_tasks() -> None:
    tasks = [{"task": "load", "host": "dn01p", "log": ["first", "last"]}, {"task": "wait", "host": "", "log": []}]
    res = {"msg": "it failed", "failures": tasks}
    watch = watched(WORK, result("failed", "mn02p", res, task_action="airflow_dag_run"))
    assert watch.messages == ["load on dn01p:", "  first", "  last", "wait on no host:"]


def test_failures_of_another_module_are_none_of_a_dag_run() -> None:
    watch = watched(WORK, result("failed", "dn01p", {"msg": "it failed", "failures": ["No package x available."]}))
    assert (watch.messages, watch.reasons()) == ([], ["dn01p: r: t: it failed"])


def test_without_a_failed_task_the_error_of_ansible_is_the_reason() -> None:
    watch = watched(line("[WARNING]: hm"), line("[ERROR]: Attempting to decrypt but no vault secrets found."))
    assert watch.reasons() == ["Attempting to decrypt but no vault secrets found."]
    assert watch.warnings == ["[WARNING]: hm"]


@pytest.mark.parametrize(
    ("res", "text"),
    [
        ({"msg": "why"}, "why"),
        ({"msg": "Task failed: Action failed: why"}, "why"),
        ({"msg": ["a", "b"]}, "a; b"),
        ({"msg": "", "stderr": "from the shell\n"}, "from the shell"),
        ({"module_stderr": "Traceback"}, "Traceback"),
        ({}, "no message"),
        ({"msg": "One or more items failed", "results": [{"msg": "x"}, {"failed": True, "msg": "this"}]}, "this"),
        (CENSORED, "it failed, and its message is hidden because it may hold a secret"),
    ],
)
def test_the_message_of_a_failure(res: dict[str, Any], text: str) -> None:
    assert message(res) == text


def test_what_a_playbook_shows_is_kept_and_what_ansible_says_of_itself_is_not() -> None:
    watch = watched(
        WORK,
        line("Environment: dev"),
        line("PLAYBOOK RECAP ****"),
        line("stage 3 files"),
        result("ok", "a", {"msg": ["one", "two"], "_ansible_verbose_always": True}),
        result("ok", "b", {"msg": "of a module"}),
    )
    assert watch.messages == ["one", "two"]
    assert watch.activity == "stage 3 files"


def test_hosts_show_what_they_do() -> None:
    watch = watched(WORK, {"event": "runner_on_start", "event_data": {"host": "a"}}, result("ok", "b", CHANGED))
    assert watch.hosts["a"].doing == "some_role : do it"
    assert (watch.hosts["b"].doing, watch.hosts["b"].last, watch.hosts["b"].word) == ("", "r : t", "changed")
    assert watched(WORK, result("failed", "a")).bad_hosts() == ["a"]


def test_the_log_holds_no_message_that_ansible_hides() -> None:
    event = {**result("failed", "a", CENSORED), "stdout": "[ERROR]: Task failed: password MARKER\r\nfatal: [a]"}
    assert log_lines(event) == ["a: r : t: it failed, and its message is hidden because it may hold a secret"]
    assert log_lines(line("plain\r\ntext")) == ["plain", "text"]
