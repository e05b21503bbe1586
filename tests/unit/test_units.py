"""What the units run beside Airflow, as it lies on a host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder as the role airflow_services writes it."""
    files = ROOT / "roles/airflow_services/files"
    shutil.copytree(ROOT / "roles/watchdog/files/program/airflow_watchdog", tmp_path / "airflow_watchdog")
    shutil.copy(files / "units.py", tmp_path / "__main__.py")
    shutil.copy(files / "record_end.py", tmp_path)
    return tmp_path


def run(programs: Path, *arguments: str) -> tuple[int, str]:
    """Run a command as a unit does; return exit code and what it says."""
    command = ["/usr/bin/python3", "-I", "-S", str(programs), *arguments]
    done = subprocess.run(command, input="../sshd", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_question_that_breaks_is_no_refusal(programs: Path) -> None:
    (programs / "airflow_watchdog/alone.py").write_text("import nothing_at_all\n")
    code, said = run(programs, "alone", "/home")
    assert (code, "nothing_at_all" in said) == (255, True)


def test_each_command_finds_what_it_needs(programs: Path) -> None:
    assert run(programs, "alone", str(programs))[0] in (0, 1)  # 1 where this machine runs a scheduler, as a lab does
    assert run(programs, "record", "root", "airflow.cfg") == (0, "")
    code, said = run(programs, "ended", "nothing")
    assert code == 255 and "airflow_watchdog" not in said  # there is no socket
