"""Which old releases go: none in which a process of this machine stands, and the others."""

from __future__ import annotations

import json
import mmap
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release import judge, prune, standing, standing_program
from airflow_ops.dag_release.fleet import Host, HostFailed, Outcome
from airflow_ops.dag_release.plan import Keep

OLD, OTHER = "20260101T000000Z-000000000001", "20260102T000000Z-000000000002"


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Path]:
    for name in (OLD, OTHER):
        (tmp_path / name / "P").mkdir(parents=True)
        (tmp_path / name / "P/x.sh").write_text("read line\n")
    yield tmp_path


@pytest.mark.parametrize("how", ["working folder", "program", "open", "mapped", "removed", "not at all"])
def test_a_process_that_stands_in_a_release(releases: Path, how: str) -> None:
    file, program = releases / OLD / "P/x.sh", releases / OLD / "P/sleep"
    command, folder = ["sleep", "infinity"], releases / OLD / "P" if how == "working folder" else None
    if how == "program":
        command = [str(shutil.copy2("/bin/sleep", program)), "infinity"]
    elif how == "mapped":
        text = f"import mmap, time; f = open({str(file)!r}); m = mmap.mmap(f.fileno(), 0, prot={mmap.PROT_READ}); "
        command = [sys.executable, "-c", f"{text}f.close(); print(1, flush=True); time.sleep(1000)"]
    with (
        (file if how in ("open", "removed") else Path("/dev/null")).open() as stdin,
        subprocess.Popen(command, cwd=folder, stdin=stdin, stdout=subprocess.PIPE) as process,
    ):
        stdin.close()
        try:
            if how == "mapped":
                assert process.stdout
                process.stdout.readline()
            if how == "removed":
                file.unlink()
            found = standing.standing(str(releases), [OLD, OTHER])
        finally:
            process.kill()
    assert found == ({} if how in ("removed", "not at all") else {OLD: [process.pid]})


def test_it_runs_as_a_program_of_its_own(releases: Path) -> None:
    with subprocess.Popen(["sleep", "infinity"], cwd=releases / OTHER) as process:
        argv = [sys.executable, "-I", "-S", "-c", standing_program(), str(releases), OLD, OTHER]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        process.kill()
    assert json.loads(said) == {OTHER: [process.pid]}


class Fleet:
    """Two hosts that say what they are told to."""

    def __init__(self, outdated: dict[str, list[str]], edited: list[str]) -> None:
        self.outdated, self.edited, self.asked = outdated, edited, {}  # type: ignore[var-annotated]

    def ask(self, hosts: list[Host], verb: str, **args: Any) -> Outcome:
        return Outcome({host.name: {"outdated": self.outdated[host.name]} for host in hosts})

    def ask_each(self, args: dict[str, dict[str, Any]], verb: str) -> Outcome:
        self.asked = args
        return Outcome({name: {"removed": [], "edited": self.edited, "held": []} for name in args})


def test_only_what_nobody_stands_in_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"dn01p": {OLD: [7, 8], "/etc": [1]}, "dn02p": {}}
    monkeypatch.setattr(prune, "as_root", lambda host, argv: {"said": json.dumps(said[host.name])})
    fleet = Fleet({"dn01p": [OLD, OTHER], "dn02p": [OLD], "dn03p": []}, [OTHER])
    hosts = [Host(name, name) for name in ("dn01p", "dn02p", "dn03p")]
    notes = prune.prune(fleet, hosts, "/dag_releases", Keep(5, 60, "carry"))  # type: ignore[arg-type]
    assert fleet.asked == {"dn01p": {"releases": [OTHER]}, "dn02p": {"releases": [OLD]}}
    assert notes == [
        f"dn01p: {OLD} stays until a later run: processes stand in it (7, 8).",
        f"dn01p: {OTHER} stays: files in it were edited after it was replaced.",
        f"dn02p: {OTHER} stays: files in it were edited after it was replaced.",
    ]


def test_where_nobody_could_look_nothing_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: Host, argv: list[str]) -> dict[str, Any]:
        raise HostFailed("sudo: a password is required")

    monkeypatch.setattr(prune, "as_root", refuse)
    fleet = Fleet({"dn01p": [OLD]}, [])
    notes = prune.prune(fleet, [Host("dn01p", "dn01p")], "/dag_releases", Keep(5, 60, "carry"))  # type: ignore[arg-type]
    assert (fleet.asked, notes) == ({}, ["Old releases stay on dn01p (sudo: a password is required)."])


@pytest.mark.parametrize("said", ["", "nonsense", "[]", f'{{"{OLD}": 7}}', f'{{"{OLD}": ["x"]}}'])
def test_an_answer_that_is_none_is_a_failure(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(prune, "as_root", lambda host, argv: {"said": said})
    with pytest.raises(HostFailed, match="not which processes"):
        prune.stood_in(Host("dn01p", "dn01p"), "/dag_releases", [OLD])


def test_runtime_files_are_listed_once_for_hosts_with_the_same() -> None:
    same = {"runtime": ["a", "b"]}
    assert judge.runtime_notes(
        {"dn02p": same, "dn01p": same, "dn03p": {"runtime": []}, "mn02p": {"runtime": ["c"]}}
    ) == [
        "dn01p, dn02p: runtime files of the host, which no release changes, 2: a, b.",
        "mn02p: runtime files of the host, which no release changes, 1: c.",
    ]


def test_what_the_live_tree_does_not_show_is_named() -> None:
    said = {"replaced": OLD, "hidden": ["h"], "stuck": ["s"], "kept": ["/k"]}
    assert judge.moved_notes({"dn01p": said, "dn02p": {"replaced": OLD}}) == [
        f"dn01p: the release brings such files itself, those of the host wait in dag_releases/{OLD}: h.",
        f"dn01p: runtime files of other accounts stay in dag_releases/{OLD}, the live tree has links to them: s.",
        "dn01p: kept aside: /k.",
    ]
