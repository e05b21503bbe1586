"""In what hosts differ: each check as a table, and the report as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.drift import CHECKS, compare

UNIT = "[Service]\nExecStart=airflow celery worker --queues QUEUES\n"


def host(**changes: object) -> dict[str, Any]:
    """Return what a healthy host is seen to be, with some changes."""
    return {
        "versions": {"airflow": "2.11.2", "python": "3.11.2"},
        "config": {"core.parallelism": "8", "core.default_timezone": "utc"},
        "keys": {"core.fernet_key": "aa"},
        "packages": {"pandas": "2.2"},
        "environment": {"AIRFLOW_HOME": "aa"},
        "units": {"airflow-worker.service": UNIT},
        "dags": {"release": "r1", "digest": "d1", "differing": [], "number": 0},
        "plugins": {"menu.py": "file 1", "old.py": "file 1"},
        "clock": 0.01,
        "stray": [],
        "owners": {"number": 0, "lines": []},
        "restarts": [],
        "hostname": "dn01p.example.com",
        **changes,
    }


def report(one: Any, ignored: tuple[str, ...] = (), **model: object) -> dict[str, Any]:
    return compare({"mn02p": host(**model), "dn01p": one}, "mn02p", ignored, 2)


def dags(release: str, *differing: str, digest: str = "d1") -> dict[str, object]:
    return {"release": release, "digest": digest, "differing": list(differing), "number": len(differing)}


@pytest.mark.parametrize(
    ("changes", "check", "severity", "details"),
    [
        pytest.param(
            {"versions": {"airflow": "2.10.5", "python": "3.11.2"}},
            "versions",
            "error",
            ["airflow: 2.10.5, on mn02p 2.11.2"],
            id="version",
        ),
        pytest.param(
            {"config": {"core.parallelism": "8", "core.default_timezone": "Asia/Seoul", "new.option": "1"}},
            "config",
            "warning",
            ["core.default_timezone: Asia/Seoul, on mn02p utc", "new.option: 1, on mn02p not there"],
            id="options",
        ),
        pytest.param(
            {"keys": {"core.fernet_key": "bb"}},
            "keys",
            "error",
            ["core.fernet_key differs from that on mn02p"],
            id="key, not shown",
        ),
        pytest.param({"packages": {}}, "packages", "warning", ["pandas: not there, on mn02p 2.2"], id="package"),
        pytest.param(
            {"environment": {"AIRFLOW_HOME": "aa", "JAVA_HOME": "bb"}},
            "units",
            "warning",
            ["JAVA_HOME differs from that on mn02p"],
            id="environment",
        ),
        pytest.param(
            {"plugins": {"menu.py": "file 2", "own.py": "file 1"}},
            "plugins",
            "warning",
            ["menu.py differs from that on mn02p", "old.py is missing, mn02p has it", "own.py is not on mn02p"],
            id="plugins",
        ),
        pytest.param(
            {"units": {"airflow-worker.service": f"{UNIT}# x\n"}},
            "units",
            "warning",
            ["--- mn02p airflow-worker.service", "+++ dn01p airflow-worker.service", "@@ -2,0 +3 @@", "+# x"],
            id="unit",
        ),
        pytest.param(
            {"units": {"airflow-worker.service": UNIT, "airflow-worker.service.d/own.conf": ""}},
            "units",
            "warning",
            ["airflow-worker.service.d/own.conf is only here"],
            id="drop-in",
        ),
        pytest.param({"dags": dags("r2")}, "dags", "error", ["r2, on mn02p r1"], id="release"),
        pytest.param({"dags": dags("")}, "dags", "error", ["a plain folder, on mn02p r1"], id="no release"),
        pytest.param({"dags": dags("r1", "edited: A.py")}, "dags", "warning", ["edited: A.py"], id="edited file"),
        pytest.param(
            {"clock": -2.5}, "clock", "warning", ["-2.5 s from the clock of the metadata database"], id="clock is late"
        ),
        pytest.param(
            {"clock": 31.0}, "clock", "error", ["+31.0 s from the clock of the metadata database"], id="clock is wrong"
        ),
        pytest.param({"clock": None}, "clock", "warning", ["The metadata database did not answer."], id="no clock"),
        pytest.param(
            {"stray": ["/root/airflow/airflow.cfg"]},
            "stray",
            "warning",
            ["/root/airflow/airflow.cfg would be taken without AIRFLOW_HOME"],
            id="stray file",
        ),
        pytest.param(
            {"owners": {"number": 30, "lines": ["a", "... and 29 more"]}},
            "owners",
            "warning",
            ["a", "... and 29 more"],
            id="owners",
        ),
        pytest.param(
            {"restarts": ["The worker of this host died once"]},
            "services",
            "warning",
            ["The worker of this host died once"],
            id="a service that systemd started again",
        ),
    ],
)
def test_a_check(changes: dict[str, object], check: str, severity: str, details: list[str]) -> None:
    found = report(host(**changes))
    cells = found["hosts"]["dn01p"]
    assert {name: cell["severity"] for name, cell in cells.items() if cell["severity"] != "ok"} == {check: severity}
    assert cells[check]["details"] == details
    assert found["worst"] == severity
    assert {cell["severity"] for cell in found["hosts"]["mn02p"].values()} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        pytest.param({}, (), id="the same"),
        pytest.param(
            {"config": {"core.parallelism": "4", "core.default_timezone": "utc"}}, ("core.parallelism",), id="ignored"
        ),
        pytest.param({"keys": {"core.fernet_key": "bb"}}, ("core.fernet_key",), id="ignored key"),
        pytest.param({"clock": 1.9}, (), id="clock within the limit"),
        pytest.param({"units": {"airflow-scheduler.service": "other"}}, (), id="other services"),
    ],
)
def test_no_drift(changes: dict[str, object], ignored: tuple[str, ...]) -> None:
    assert report(host(**changes), ignored)["worst"] == "ok"


def test_plain_folders_are_compared_by_their_files() -> None:
    same, other = dags(""), dags("", digest="d2")
    assert report(host(dags=same), dags=same)["worst"] == "ok"
    assert report(host(dags=other), dags=same)["hosts"]["dn01p"]["dags"]["summary"] == "other files"


@pytest.mark.parametrize(
    ("seen", "summary", "detail"),
    [
        pytest.param(None, "unreachable", "It did not answer.", id="unreachable"),
        pytest.param({"problem": "No Python."}, "no Airflow", "No Python.", id="no Airflow"),
    ],
)
def test_a_host_that_says_nothing_is_an_error(seen: Any, summary: str, detail: str) -> None:
    found = report(seen)
    cells = found["hosts"]["dn01p"]
    assert (cells["host"]["summary"], cells["host"]["details"]) == (summary, [detail])
    assert {cells[name]["severity"] for name in CHECKS if name != "host"} == {""}
    assert found["worst"] == "error"
    assert f"dn01p  !! {summary}\n" in found["text"]


def test_without_the_reference_another_host_takes_its_place() -> None:
    found = compare({"mn02p": None, "dn01p": host(), "dn02p": host(packages={})}, "mn02p", (), 2)
    assert found["reference"] == "dn01p"
    assert found["hosts"]["dn02p"]["packages"]["details"] == ["pandas: not there, on dn01p 2.2"]


def test_nobody_answers() -> None:
    assert compare({"mn02p": None, "dn01p": None}, "mn02p", (), 2)["worst"] == "error"


def test_the_matrix_is_aligned_and_the_details_follow() -> None:
    lines = report(host(clock=5.0))["text"].splitlines()
    assert lines[0].split()[:2] == ["HOST", "VERSIONS"]
    assert lines[1].split() == ["mn02p", *["ok"] * 11]
    assert lines[2].index("! +5 s") == lines[0].index("CLOCK")
    assert lines[3:] == ["dn01p, clock:", "  +5.0 s from the clock of the metadata database"]


@pytest.mark.parametrize(
    ("where", "shown"),
    [("dn01p", "dn01p"), ("dn01p.example.com", "dn01p"), ("dn09p", "mn02p")],
    ids=["a host", "under the name that Airflow has for it", "a host that was not looked at"],
)
def test_another_scheduler_is_an_error_of_its_host(where: str, shown: str) -> None:
    hosts = {"mn02p": host(hostname="mn02p"), "dn01p": host()}
    found = compare(hosts, "mn02p", (), 2, [{"host": where, "text": "process 4711 of root"}])
    cells = {name: cell for name, cells in found["hosts"].items() if (cell := cells["services"])["severity"] != "ok"}
    assert cells == {
        shown: {
            "severity": "error",
            "summary": "another scheduler",
            "details": ["another scheduler runs, process 4711 of root"],
        }
    }
    assert found["worst"] == "error"
