"""Exactly one entry in the crontab, whatever was there."""

import getpass
import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from library import watchdog_crontab
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


@pytest.mark.parametrize(
    ("said", "refused"), [("no crontab for root", False), ("crontabs/root: Input/output error", True)]
)
def test_a_crontab_that_cannot_be_read_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, refused: bool
) -> None:
    program = tmp_path / "crontab"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -l ] && {{ echo '{said}' >&2; exit 1; }}\ncat >{tmp_path}/written\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(watchdog_crontab, "SYSTEM_FILES", ())
    arguments = {"user": getpass.getuser(), "command": COMMAND}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        watchdog_crontab.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer.get("failed", False) == refused
    assert (tmp_path / "written").exists() == (not refused)
    assert not refused or "Input/output error" in answer["msg"]


@pytest.mark.parametrize("check", [True, False], ids=["preview", "run"])
def test_entries_in_files_of_the_system_go_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], check: bool
) -> None:
    table, folder, entry = tmp_path / "crontab", tmp_path / "cron.d", "* * * * * root sh /x/serviceCheckAndRun.sh"
    folder.mkdir()
    table.write_bytes(f"SHELL=/bin/sh\n{entry}\n# {entry}\n".encode() + b"1 1 * * * root /x \xff\n")
    table.chmod(0o600)
    (folder / "backup").write_text("0 3 * * * root /usr/bin/backup\n")
    (folder / "airflow").write_text(f"{entry}\n")
    before = {file: file.read_bytes() for file in (table, *folder.iterdir())}
    monkeypatch.setattr(watchdog_crontab, "SYSTEM_FILES", (str(table), str(folder), str(tmp_path / "none")))
    arguments = {"user": "no such account", "command": "", "_ansible_check_mode": check}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        watchdog_crontab.main()
    answer = json.loads(capsys.readouterr().out)
    assert (answer["changed"], answer["replaced"]) == (True, [entry, entry])
    after = {file: file.read_bytes() for file in (table, *folder.iterdir())}
    if check:
        assert after == before
    else:
        assert after[table] == f"SHELL=/bin/sh\n# {entry}\n".encode() + b"1 1 * * * root /x \xff\n"
        assert after[folder / "airflow"] == b""
        assert after[folder / "backup"] == before[folder / "backup"]
        assert table.stat().st_mode & 0o777 == 0o600
