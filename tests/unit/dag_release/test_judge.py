"""Decisions about what the hosts said."""

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_ops.dag_release import judge
from airflow_ops.dag_release.tree import Delta

A, B = "20260101T000000Z-aaaaaaaaaaaa", "20260102T000000Z-bbbbbbbbbbbb"
NOW = datetime(2026, 1, 3, tzinfo=timezone.utc)
NEW = "20260103T000000Z-dddddddddddd"
DIGEST = "d" * 64


def seen(live: str | None = A, digest: str | None = DIGEST, committed: bool = True, **more: Any) -> dict[str, Any]:
    """Return what a host says at a look."""
    lists: dict[str, list[str]] = {"edited": [], "missing": [], "unmanaged": [], "carried": []}
    return {"live": live, "digest": digest, "committed": committed, "by_hand": False, **lists, **more}


@pytest.mark.parametrize(
    ("hosts", "picked"),
    [
        pytest.param({"x": seen(None, None)}, NEW, id="nothing is live"),
        pytest.param({"x": seen(A), "y": seen(A)}, A, id="live everywhere"),
        pytest.param({"x": seen(A), "y": seen(B, "other")}, A, id="one host lags"),
        pytest.param({"x": seen(A), "y": seen(None, None)}, A, id="one host is new"),
        pytest.param({"x": seen(A), "y": seen(B)}, B, id="the same tree twice: the newer id"),
        pytest.param({"x": seen(A), "y": seen(A, "edited")}, NEW, id="edited on one host"),
        pytest.param({"x": seen(A, committed=False)}, NEW, id="never went live everywhere"),
        pytest.param({"x": seen(A, "other")}, NEW, id="another tree"),
    ],
)
def test_pick_id(hosts: dict[str, dict[str, Any]], picked: str) -> None:
    assert judge.pick_id(hosts, DIGEST, NOW) == picked


def test_dropping_what_was_carried_calls_for_a_new_release() -> None:
    hosts = {"x": seen(A, unmanaged=["own.py"], carried=["own.py"]), "y": seen(A)}
    assert judge.pick_id(hosts, DIGEST, NOW, "carry") == A
    assert judge.pick_id(hosts, DIGEST, NOW, "drop") == NEW


@pytest.mark.parametrize(
    ("host", "live"),
    [
        (seen(A), True),
        (seen(B), False),
        (seen(A, "edited"), False),
        (seen(A, committed=False), False),
        (seen(None, None), False),
    ],
)
def test_is_live(host: dict[str, Any], live: bool) -> None:
    assert judge.is_live(host, A, DIGEST) is live


def test_what_was_done_by_hand_is_named_but_not_what_this_run_delivers() -> None:
    hosts = {"x": seen(edited=["a.py", "b.py"], missing=["c.py"]), "y": seen()}
    assert judge.edit_notes(hosts, ["b.py"]) == [
        "x: edited in place below the live link: a.py.",
        "x: deleted in place below the live link: c.py.",
    ]


def test_files_that_the_source_lacks_are_named_once() -> None:
    hosts = {"x": seen(unmanaged=["old.py", "new.py", "in_source.py"], carried=["old.py"])}
    (note,) = judge.unmanaged_notes(judge.unmanaged(hosts, ["in_source.py"], "carry"), "carry")
    assert note == "x: files that the source lacks are carried into the new release, 1: new.py."
    assert "do not go into" in judge.unmanaged_notes(judge.unmanaged(hosts, ["in_source.py"], "drop"), "drop")[0]


def test_modules_that_are_gone_are_a_warning() -> None:
    assert judge.late_imports(["a.json"]) == []
    assert "fails: a.py, p/b.py." in judge.late_imports(["a.py", "p/b.py", "c.sh"])[0]


def test_long_lists_are_cut() -> None:
    assert judge.warned(["x"] * 12)[-2:] == ["Warning: x", "2 more warnings."]
    assert judge.some(map(str, range(12))).endswith("8, 9 and 2 more")


TRACE = (
    'Traceback (most recent call last):\n  File "p/a.py", line 7, in <module>\n    import x\n'
    "ModuleNotFoundError: No x\n"
)


DUPLICATE = "AirflowDagDuplicatedIdException: Ignoring DAG D from p/a.py - also found in b.py"
QUERY = "(sqlite3.OperationalError) no such table: dag\n[SQL: SELECT 1]\n(Background on this error at: somewhere)"
KEY_ERROR = TRACE.replace("ModuleNotFoundError: No x", "KeyError: 'shops'")


NO_FILE = "FileNotFoundError: [Errno 2] No such file or directory: '/etc/shops.yml'"


def failing(error: str, line: str = "f()") -> str:
    return f'Traceback (most recent call last):\n  File "p/a.py", line 7, in <module>\n    {line}\n{error}\n'


def parsed(errors: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"errors": errors or {}, "dags": {}, "warnings": [], **more}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(TRACE, "p/a.py on dn: line 7: ModuleNotFoundError: No x", id="missing package"),
        pytest.param(DUPLICATE, f"p/a.py on dn: {DUPLICATE}", id="duplicate"),
        pytest.param(KEY_ERROR, "p/a.py on dn: line 7: KeyError: 'shops'", id="no variable was read"),
    ],
)
def test_an_error_on_the_worker_alone_counts(text: str, sentence: str) -> None:
    verdict = judge.verdict({"mn": parsed(), "dn": parsed({"p/a.py": text})}, judge.Known())
    assert (verdict.errors, verdict.warnings) == ([sentence], [])


def test_an_error_on_all_hosts_is_told_once() -> None:
    verdict = judge.verdict({"mn": parsed({"p/a.py": TRACE}), "dn": parsed({"p/a.py": TRACE})}, judge.Known())
    assert verdict.errors == ["p/a.py: line 7: ModuleNotFoundError: No x"]


@pytest.mark.parametrize(
    ("reads", "text", "judged"),
    [
        (["Variable sales_cfg"], KEY_ERROR, False),
        (["Variable sales_cfg"], "KeyError: 'Variable sales_cfg does not exist'", False),
        (["Connection c"], "airflow.exceptions.AirflowNotFoundException: The conn_id `c` isn't defined", False),
        (["table dag"], QUERY, False),
        (["Variable sales_cfg"], TRACE, True),
        (["Variable sales_cfg"], TRACE.replace("ModuleNotFoundError", "SyntaxError"), True),
        (["Variable sales_cfg"], DUPLICATE, True),
        (["Variable sales_cfg"], failing("NameError: name 'x' is not defined"), True),
        (["Variable sales_cfg"], failing("SystemExit: 0: it ends Airflow's process while it is loaded"), True),
        (["Variable sales_cfg"], failing("airflow.exceptions.AirflowTaskTimeout: after 30.0s"), True),
        (["Variable sales_cfg"], failing("airflow.exceptions.DuplicateTaskIdFound: Task id 'a'"), True),
        (["Variable sales_cfg"], failing("TypeError: DAG() got an unexpected keyword argument 'schedul'"), True),
        (["Variable sales_cfg"], failing("TypeError: 'NoneType' object is not iterable"), False),
        (["Variable sales_cfg"], failing("airflow.exceptions.AirflowException: missing keyword argument 'b'"), True),
        (["Variable sales_cfg"], failing("airflow.exceptions.AirflowException: Invalid arguments were"), True),
        (["Variable sales_cfg"], failing("airflow.exceptions.AirflowException: no shops"), False),
        (["Variable sales_cfg"], failing(NO_FILE, 'open("/etc/shops.yml")'), True),
        (["Variable sales_cfg"], failing(NO_FILE, 'open(f"/etc/{cfg}.yml")'), False),
        (["the variable SFTP_PASSWORD"], failing("KeyError: 'SFTP_PASSWORD'"), False),
        ([], KEY_ERROR, True),
    ],
)
def test_an_error_that_an_empty_database_may_cause_is_not_judged(reads: list[str], text: str, judged: bool) -> None:
    seen = {"mn": parsed({"p/a.py": text}, reads={"p/a.py": reads} if reads else {})}
    verdict = judge.verdict(seen, judge.Known())
    assert (len(verdict.errors), len(verdict.warnings)) == ((1, 0) if judged else (0, 1))
    assert judged or verdict.warnings[0].startswith(f"p/a.py reads {reads[0]}, not judged: ")
    assert verdict.unknown == (set() if judged else {"p/a.py"})
    assert judge.broken_files(seen) == {"mn": ["p/a.py"] if judged else []}  # what is not known may well run


def test_what_was_broken_before_on_a_host_does_not_stop_a_delivery() -> None:
    seen = {"mn": parsed({"p/a.py": TRACE, "b.py": TRACE}), "dn": parsed({"p/a.py": TRACE})}
    verdict = judge.verdict(seen, judge.Known(before={"mn": ["p/a.py"], "dn": ["p/a.py"]}))
    assert verdict.errors == ["b.py on mn: ModuleNotFoundError: No x"]
    assert verdict.warnings == ["p/a.py was broken before: line 7: ModuleNotFoundError: No x"]
    verdict = judge.verdict(seen, judge.Known(before={"mn": ["p/a.py", "b.py"]}))
    assert verdict.errors == ["p/a.py on dn: line 7: ModuleNotFoundError: No x"]


@pytest.mark.parametrize(
    ("carried", "before", "sentence"),
    [
        ({}, {}, "z/bad.zip/x.py: ModuleNotFoundError: No x"),
        ({"mn": ["other.py"]}, {}, "z/bad.zip/x.py: ModuleNotFoundError: No x"),
        ({"mn": ["z/bad.zip"]}, {}, "z/bad.zip/x.py (carried over): ModuleNotFoundError: No x"),
        (
            {"mn": ["z/bad.zip"]},
            {"mn": ["z/bad.zip/x.py"]},
            "z/bad.zip/x.py (carried over) was broken before: ModuleNotFoundError: No x",
        ),
    ],
)
def test_only_what_was_carried_over_is_told_so(carried: Any, before: Any, sentence: str) -> None:
    verdict = judge.verdict({"mn": parsed({"z/bad.zip/x.py": TRACE})}, judge.Known(before, carried))
    assert verdict.errors + verdict.warnings == [sentence]
    assert bool(verdict.warnings) is bool(before)


def test_files_that_are_not_checked_do_not_stop_a_delivery() -> None:
    known = judge.Known(unchecked=lambda file: file == "p/a.py")
    verdict = judge.verdict({"mn": parsed({"p/a.py": TRACE, "b.py": TRACE})}, known)
    assert verdict.errors == ["b.py: ModuleNotFoundError: No x"]
    assert verdict.warnings[0].startswith("p/a.py is let through (dag_release_check_ignore): line 7")


@pytest.mark.parametrize(
    ("known", "brought", "broken", "told"),
    [
        pytest.param([], [], [], True, id="nobody knows it"),
        pytest.param(["z/a.zip/x.py"], [], [], False, id="the scheduler does"),
        pytest.param(["z/a.zip/x.py"], ["z/a.zip"], [], True, id="the scheduler was faster"),
        pytest.param([], ["z/a.zip"], ["z/a.zip/x.py"], False, id="broken before"),
    ],
)
def test_new_errors(known: list[str], brought: list[str], broken: list[str], told: bool) -> None:
    found = judge.new_errors({"errors": {"z/a.zip/x.py": TRACE}, "known": known}, brought, broken)
    assert found == ["New import error in Airflow: z/a.zip/x.py: ModuleNotFoundError: No x."] * told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TRACE, "line 7: ModuleNotFoundError: No x"),
        (QUERY, "(sqlite3.OperationalError) no such table: dag"),
        (f"{TRACE}\nDuring handling of this:\n\n{KEY_ERROR}", "line 7: KeyError: 'shops'"),
        (
            TRACE.replace("ModuleNotFoundError: No x", "AirflowTaskTimeout: after 30 s.\nPlease look:\n* at the docs"),
            "line 7: AirflowTaskTimeout: after 30 s.",
        ),
        ('  File "p/a.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid', "line 1: SyntaxError: invalid"),
        (TRACE.replace("No x", f"unusual_prefix_{'0' * 40}_a.Skipped"), "line 7: ModuleNotFoundError: a.Skipped"),
        ("", "no message"),
    ],
)
def test_message(text: str, told: str) -> None:
    assert judge.message("p/a.py", text) == told


def test_deprecations_are_warnings_and_named_once() -> None:
    texts = ["a.py:1: airflow.exceptions.RemovedInAirflow3Warning: x", "a.py:2: UserWarning: y"]
    verdict = judge.verdict({"mn": parsed(warnings=texts), "dn": parsed(warnings=texts)}, judge.Known())
    assert verdict.warnings == texts[:1]


def dags(**hashes: str) -> dict[str, dict[str, str]]:
    return {name: {"file": f"{name}.py", "hash": value} for name, value in hashes.items()}


@pytest.mark.parametrize(
    ("have", "want", "unknown", "delta"),
    [
        pytest.param(dags(a="1"), dags(a="1"), set(), Delta([], [], []), id="same"),
        pytest.param(dags(a="1", b="1"), dags(b="2", c="1"), set(), Delta(["c"], ["b"], ["a"]), id="all three"),
        pytest.param({}, dags(a="1"), set(), Delta(["a"], [], []), id="first"),
        pytest.param(dags(a="1"), {}, {"a.py"}, Delta([], [], []), id="a file that could not be told"),
        pytest.param(None, dags(a="1"), set(), None, id="not known before"),
    ],
)
def test_dag_delta(have: Any, want: Any, unknown: set[str], delta: Delta | None) -> None:
    assert judge.dag_delta(have, judge.Verdict([], [], want, unknown)) == delta


@pytest.mark.parametrize(
    ("hosts", "ours", "why"),
    [
        pytest.param({"x": seen(A), "y": seen(A)}, [], [], id="all the same"),
        pytest.param({"x": seen(A), "y": seen(B)}, [], [f"x is on {A}", f"y is on {B}"], id="differ"),
        pytest.param({"x": seen(None)}, [], ["x has no release yet"], id="none"),
        pytest.param({"x": seen(A, edited=["a"])}, ["a"], [], id="the edit is what is delivered"),
        pytest.param({"x": seen(A, edited=["a", "b"])}, ["a"], ["x has files changed in place (b)"], id="another edit"),
        pytest.param({"x": seen(A, missing=["b"])}, [], ["x has files changed in place (b)"], id="deleted"),
    ],
)
def test_single_files_go_on_top_of_one_release(hosts: Any, ours: list[str], why: list[str]) -> None:
    assert judge.partial_base(hosts, ours)[1] == why


def has(live: str | None, *ids: str, adopted: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"live": live, "releases": [{"id": name, "adopted": name in adopted} for name in ids]}


C = "20260103T000000Z-cccccccccccc"
B_AGAIN = f"20260104T000000Z-{B[-12:]}"


@pytest.mark.parametrize(
    ("hosts", "wanted", "target", "why"),
    [
        pytest.param({"x": has(B, A, B), "y": has(B, A, B)}, "", {"x": A, "y": A}, "", id="the one before"),
        pytest.param({"x": has(B, A, B, C)}, "", {"x": A}, "", id="after a rollback, further back"),
        pytest.param({"x": has(B_AGAIN, A, B, B_AGAIN)}, "", {"x": A}, "", id="delivered once more, as before"),
        pytest.param({"x": has(A, A, B)}, B, {"x": B}, "", id="forward, named"),
        pytest.param({"x": has(B, A, B), "y": has(B, B)}, "", None, f"y has no release before {B}", id="one lacks it"),
        pytest.param({"x": has(B, A, B), "y": has(B, B)}, A, None, f"y has no release {A} (it has {B})", id="named"),
        pytest.param({"x": has(C, A, C), "y": has(C, B, C)}, "", None, "dag_release_id=", id="differ before"),
        pytest.param(
            {"x": has(C, A, C, adopted=(A,)), "y": has(C, B, C, adopted=(B,))}, "", {"x": A, "y": B}, "", id="adopted"
        ),
        pytest.param({"x": has(None)}, "", None, "x has no release before None", id="nothing yet"),
    ],
)
def test_rollback_target(hosts: Any, wanted: str, target: Any, why: str) -> None:
    found, reasons = judge.rollback_target(hosts, wanted)
    assert (why in "; ".join(reasons)) if why else (reasons == [] and found == target)


def test_hosts_that_are_behind_elsewhere_are_remembered() -> None:
    assert judge.behind_notes({"x": {}, "y": {}}, ["x"])[0].startswith("Behind since an earlier run")
    assert judge.behind_notes({"x": {}}, ["x"]) == []


@pytest.mark.parametrize(
    ("queues", "workers", "expected"),
    [
        ({"d": {"default": ["a"]}}, {"dn01p": ["default", "dn01p"]}, None),
        (
            {"d": {"spark": ["a", "b"]}, "e": {"spark": ["c"], "default": ["x"]}},
            {"dn01p": ["default", "dn01p"]},
            "d.a, d.b, e.c",
        ),
        ({"d": {"spark": ["a"]}}, {"dn01p": ["default"], "dn02p": ["spark"]}, None),
        ({"d": {"spark": ["a"]}}, {}, None),
    ],
    ids=["heard", "not heard", "heard by one", "no workers known"],
)
def test_queues_that_no_worker_listens_to(
    queues: dict[str, dict[str, list[str]]], workers: dict[str, list[str]], expected: str | None
) -> None:
    found = judge.queue_warnings(queues, workers)
    assert len(found) == (expected is not None)
    if expected:
        assert f"queue spark, so what needs it stays queued: {expected};" in found[0]
        assert "the workers listen to default, dn01p (airflow_worker_queues)" in found[0]
