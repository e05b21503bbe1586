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
    assert judge.some(map(str, range(12))).endswith("8, 9 and 2 more")


TRACE = (
    'Traceback (most recent call last):\n  File "p/a.py", line 7, in <module>\n    import x\n'
    "ModuleNotFoundError: No x\n"
)


def parsed(errors: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"errors": errors or {}, "dags": {}, "warnings": [], **more}


@pytest.mark.parametrize(
    ("text", "error", "warning"),
    [
        pytest.param(TRACE, "p/a.py on dn: line 7: ModuleNotFoundError: No x", None, id="missing package"),
        pytest.param(
            "AirflowDagDuplicatedIdException: Ignoring DAG D from p/a.py - also found in b.py",
            "p/a.py on dn: AirflowDagDuplicatedIdException: Ignoring DAG D from p/a.py - also found in b.py",
            None,
            id="duplicate",
        ),
        pytest.param("KeyError: 'Variable v does not exist'", None, "not checked, p/a.py on dn", id="variable"),
        pytest.param(
            "airflow.exceptions.AirflowNotFoundException: The conn_id `c` isn't defined",
            None,
            "not checked",
            id="connection",
        ),
        pytest.param(
            "(sqlite3.OperationalError) no such table: dag\n[SQL: SELECT 1]\n(Background on this error at: somewhere)",
            None,
            "not checked, p/a.py on dn: (sqlite3.OperationalError) no such table: dag",
            id="query",
        ),
    ],
)
def test_an_error_on_the_worker_alone_counts(text: str, error: str | None, warning: str | None) -> None:
    verdict = judge.verdict({"mn": parsed(), "dn": parsed({"p/a.py": text})}, ["p/a.py"])
    assert verdict.errors == ([error] if error else [])
    assert len(verdict.warnings) == (1 if warning else 0)
    assert all(str(warning) in found for found in verdict.warnings)


def test_an_error_in_a_carried_file_does_not_stop_a_delivery() -> None:
    verdict = judge.verdict({"mn": parsed({"own.py": TRACE})}, ["p/a.py"])
    assert verdict.errors == []
    assert verdict.warnings[0].startswith("carried over, own.py on mn")


def test_deprecations_are_warnings_and_named_once() -> None:
    texts = ["a.py:1: airflow.exceptions.RemovedInAirflow3Warning: x", "a.py:2: UserWarning: y"]
    verdict = judge.verdict({"mn": parsed(warnings=texts), "dn": parsed(warnings=texts)}, [])
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
