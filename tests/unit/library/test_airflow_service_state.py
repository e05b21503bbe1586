"""When is a service stale, and how systemd's answer is read."""

import os
from pathlib import Path

import pytest

from airflow_ops.dag_release.agent import behind, beside
from library import airflow_service_state
from library.airflow_service_state import (
    as_utc,
    describe,
    files_read_by,
    parse_show,
    stale_reasons,
    started_at,
    version_of,
)

SHOWN = """\
MainPID=412
ExecMainStartTimestamp=Sat 2026-03-14 09:26:53.589793 UTC
Id=airflow-scheduler.service
ActiveState=active
DropInPaths=
NeedDaemonReload=no

MainPID=0
ExecMainStartTimestamp=
Id=airflow-worker.service
ActiveState=inactive
DropInPaths=
NeedDaemonReload=no
"""


def test_parse_show_reads_one_block_for_each_unit() -> None:
    shown = parse_show(SHOWN)
    assert {unit: block["ActiveState"] for unit, block in shown.items()} == {
        "airflow-scheduler.service": "active",
        "airflow-worker.service": "inactive",
    }


@pytest.mark.parametrize(
    ("unit", "moment"),
    [
        pytest.param("airflow-scheduler.service", 1773480413.589793, id="running"),
        pytest.param("airflow-worker.service", None, id="no process"),
    ],
)
def test_started_at(unit: str, moment: float | None) -> None:
    assert started_at(parse_show(SHOWN)[unit]) == moment


@pytest.mark.parametrize(
    ("started", "changed", "needs_reload", "reasons"),
    [
        pytest.param(100.0, {"/u": 99.9, "/e": 50.0}, False, [], id="everything is older"),
        pytest.param(100.0, {"/u": 100.0}, False, [], id="the same moment"),
        pytest.param(100.4, {"/u": 100.5}, False, ["/u is newer"], id="newer within the second"),
        pytest.param(
            100.0, {"/u": 1.0, "/e": 101.0, "/v": 102.0}, False, ["/e is newer", "/v is newer"], id="two newer"
        ),
        pytest.param(100.0, {"/u": None}, False, [], id="a file that does not exist"),
        pytest.param(100.0, {}, True, ["systemd has not read the changed unit yet"], id="unit not read by systemd"),
        pytest.param(None, {"/u": 200.0}, True, [], id="no process"),
    ],
)
def test_stale_reasons(
    started: float | None, changed: dict[str, float | None], needs_reload: bool, reasons: list[str]
) -> None:
    assert stale_reasons(started, changed, needs_reload) == reasons


@pytest.mark.parametrize(
    ("target", "version"),
    [
        pytest.param("/opt/airflow/venvs/2.11.2-0123456789ab", "2.11.2", id="absolute"),
        pytest.param("venvs/2.11.2rc1-0123456789ab", "2.11.2rc1", id="relative"),
        pytest.param("", "", id="no link"),
    ],
)
def test_version_of(target: str, version: str) -> None:
    assert version_of(target) == version


@pytest.mark.parametrize(
    ("moment", "text"),
    [pytest.param(0.5, "1970-01-01 00:00:00Z", id="a moment"), pytest.param(None, "", id="none")],
)
def test_as_utc(moment: float | None, text: str) -> None:
    assert as_utc(moment) == text


PARAMS = {"home": "/h", "environment_file": "/e", "dags_folder": "/h/dags"}


def test_files_read_by_names_unit_drop_ins_environment_venv_and_own_digest() -> None:
    drop_in = "/etc/systemd/system/airflow-worker.service.d/override.conf"
    assert [str(path) for path in files_read_by("worker", PARAMS, drop_in)] == [
        "/etc/systemd/system/airflow-worker.service",
        drop_in,
        "/e",
        "/h/venv",
        "/h/config_digests/worker",
        "/h/dag_releases/plugins.digest",
    ]


@pytest.mark.parametrize(("noted", "old"), [pytest.param(2e9, True, id="since"), pytest.param(1e9, False, id="before")])
def test_a_service_that_started_before_the_plugins_changed_runs_old_ones(
    noted: float, old: bool, tmp_path: Path
) -> None:
    note = tmp_path / "dag_releases" / beside.CHANGED
    note.parent.mkdir()
    note.touch()
    os.utime(note, (noted, noted))
    shown = {**parse_show(SHOWN)["airflow-scheduler.service"], "UnitFileState": "enabled"}
    seen = describe("scheduler", shown, {**PARAMS, "dags_folder": str(tmp_path / "dags")})
    assert (seen["old_plugins"], seen["stale"]) == (old, old)


def test_a_scheduler_that_a_failover_fenced_is_known_by_its_drop_in() -> None:
    shown = {**parse_show(SHOWN)["airflow-scheduler.service"], "UnitFileState": "disabled"}
    fence = "/etc/systemd/system/airflow-scheduler.service.d/airflow-failover.conf"
    assert describe("scheduler", {**shown, "DropInPaths": fence}, PARAMS)["fenced"] is True
    assert describe("scheduler", shown, PARAMS)["fenced"] is False


@pytest.mark.parametrize(("drop_ins", "quarantined"), [(str(behind.QUARANTINE), True), ("/etc/x.conf", False)])
def test_a_worker_in_quarantine_is_known_by_the_drop_in_that_a_delivery_writes(
    drop_ins: str, quarantined: bool
) -> None:
    shown = {**parse_show(SHOWN)["airflow-worker.service"], "DropInPaths": drop_ins, "UnitFileState": "enabled"}
    assert describe("worker", shown, PARAMS)["quarantined"] is quarantined


@pytest.mark.parametrize(
    ("noted", "resumed"), [pytest.param(2e9, True, id="since its start"), pytest.param(1e9, False, id="before")]
)
def test_a_worker_that_was_drained_and_resumed_is_due_for_a_restart(
    noted: float, resumed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "resumed"
    note.touch()
    os.utime(note, (noted, noted))
    monkeypatch.setattr(airflow_service_state, "RESUMED", note)
    shown = {**parse_show(SHOWN)["airflow-scheduler.service"], "UnitFileState": "enabled"}
    worker, scheduler = (describe(name, shown, PARAMS) for name in ("worker", "scheduler"))
    assert (worker["resumed"], worker["stale"]) == (resumed, resumed)
    assert (scheduler["resumed"], scheduler["stale"]) == (False, False)
