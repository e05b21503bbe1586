"""What a person sees while a playbook runs."""

from __future__ import annotations

import errno
import io

import pytest
from rich.console import Console

from airflow_ops.cli.secrets import HIDDEN, Scrubber
from airflow_ops.cli.show import ROWS, Live, Plain, rows
from airflow_ops.cli.watch import HostState, Watch


def watch(**hosts: HostState) -> Watch:
    return Watch(hosts=dict(hosts), task="dag_release : deliver", activity="stage on 2 hosts")


def test_the_table_names_hosts_states_and_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    view = Live()
    view._heading, view._watch = (
        "deploy on prod",
        watch(
            dn01p=HostState(ok=2, changed=1, doing="some_role : copy"),
            dn02p=HostState(failed=1, last="some_role : check"),
        ),
    )
    out = io.StringIO()
    Console(file=out, width=100).print(view._table())
    text = out.getvalue()
    for part in ("deploy on prod", "dn01p", "changed", "some_role : copy", "dn02p", "failed", "some_role : check"):
        assert part in text
    assert "stage on 2 hosts" in text


def test_brackets_are_shown_as_they_are() -> None:
    view, text = Live(), "copy [bold] to [/etc]"
    view._heading = f"deploy {text}"
    view._watch = watch(a=HostState(ok=1, doing=text), b=HostState(ok=1, last=text))
    view._watch.activity = text
    out = io.StringIO()
    Console(file=out, width=100).print(view._table())
    assert out.getvalue().count(text) == 4


def test_of_many_hosts_those_that_failed_or_work_come_first() -> None:
    hosts = {f"h{number:03}": HostState(ok=1) for number in range(100)}
    hosts["h098"], hosts["h099"] = HostState(failed=1), HostState(ok=1, doing="something")
    shown = rows(watch(**hosts))
    assert len(shown) == ROWS
    assert [name for name, _ in shown[:2]] == ["h098", "h099"]
    assert [name for name, _ in rows(watch(b=HostState(), a=HostState(failed=1)))] == ["a", "b"]


def test_a_terminal_that_is_gone_does_not_end_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    Plain(Gone()).begin("deploy on dev", watch())


def test_the_step_of_a_long_task_is_shown_without_secrets() -> None:
    seen = Watch(scrub=Scrubber({"password": "MARKER"}))
    seen.take({"event": "verbose", "stdout": "log in with MARKER"})
    assert seen.activity == f"log in with {HIDDEN}"


def test_plain_lines_say_each_thing_once() -> None:
    out = io.StringIO()
    view, seen = Plain(out), Watch()
    view.begin("deploy on dev", seen)
    for event in (
        {"event": "playbook_on_task_start", "event_data": {"task": "stage", "role": "r"}},
        {"event": "verbose", "stdout": "step one"},
        {"event": "runner_on_unreachable", "event_data": {"host": "a", "res": {}}},
        {"event": "runner_on_ok", "event_data": {"host": "b", "res": {}}},
    ):
        seen.take(event)
        view.event([])
    lines = [line[10:] for line in out.getvalue().splitlines()]
    assert lines == ["deploy on dev", "r : stage", "  step one", "  a unreachable"]
