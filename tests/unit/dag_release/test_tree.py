"""What belongs into a release, and that digest, delta and copy agree with the file system."""

import os
import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_ops.dag_release.agent.tree import Entry, digest, scan
from airflow_ops.dag_release.tree import (
    Delta,
    align_times,
    build,
    delta,
    is_below_link,
    program_mode,
    release_id,
    remove,
    wanted_paths,
)

QUIET = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def wanted(root: Path) -> list[str]:
    return wanted_paths(root, ".dagreleaseignore")


def test_runtime_editor_and_version_control_files_stay_out(tmp_path: Path) -> None:
    left_out = ["p/__pycache__/a.pyc", ".git/config", ".gitignore", "b.py~", ".x.swp", ".mypy_cache/x", ".DS_Store"]
    write(tmp_path, dict.fromkeys([*left_out, "a.py", "한글 이름/b.sh", ".airflowignore"], ""))
    assert wanted(tmp_path) == [".airflowignore", "a.py", "한글 이름/b.sh"]


@pytest.mark.parametrize(
    ("rules", "stays"),
    [
        pytest.param("*.md\n!KEEP.md\n", ["KEEP.md", "drafts/x.py", "p/drafts/y.py"], id="but for one"),
        pytest.param("/drafts/\n", ["KEEP.md", "a.md", "p/drafts/y.py"], id="at the root only"),
        pytest.param("drafts\n", ["KEEP.md", "a.md"], id="at any depth"),
        pytest.param("# nothing\n\n", ["KEEP.md", "a.md", "drafts/x.py", "p/drafts/y.py"], id="comment"),
    ],
)
def test_the_ignore_file_is_in_gitignore_syntax_and_stays_out_itself(
    tmp_path: Path, rules: str, stays: list[str]
) -> None:
    write(tmp_path, {".dagreleaseignore": rules, "a.md": "", "KEEP.md": "", "drafts/x.py": "", "p/drafts/y.py": ""})
    assert wanted(tmp_path) == stays


def test_a_copy_has_the_modes_of_a_release_and_the_times_of_the_source(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"p/a.py": "x", "s.sh": ""})
    (source / "s.sh").chmod(0o777)
    os.utime(source / "p/a.py", (1, 1))
    (target := tmp_path / "target").mkdir()
    files = {"p/a.py": source / "p/a.py", "s.sh": source / "s.sh", "extra/check.py": source / "p/a.py"}
    entries = build(files, target, 0o640, 0o750)
    modes = {path.relative_to(target).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in target.rglob("*")}
    assert modes == {"p": 0o750, "p/a.py": 0o640, "s.sh": 0o750, "extra": 0o750, "extra/check.py": 0o640}
    assert (target / "p/a.py").stat().st_mtime == 1
    assert entries == scan(target)
    assert [entry.path for entry in entries] == sorted(files)


def test_a_file_goes_with_the_folders_that_only_it_has_filled(tmp_path: Path) -> None:
    write(tmp_path, {"p/q/only.sh": "", "p/r/one.sh": "", "top.sh": ""})
    remove(tmp_path, "p/q/only.sh")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["one.sh", "p", "r", "top.sh"]
    remove(tmp_path, "top.sh")
    remove(tmp_path, "p/r/one.sh")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "program"), [(0o640, 0o750), (0o644, 0o755), (0o660, 0o770)])
def test_who_may_read_a_program_may_run_it(mode: int, program: int) -> None:
    assert program_mode(mode) == program


TREES = st.dictionaries(
    st.text("ab가 '\"$", min_size=1, max_size=3).filter(lambda name: name.strip(".")),
    st.tuples(st.binary(max_size=8), st.booleans()),
)
Files = dict[str, tuple[bytes, bool]]


def make(root: Path, files: Files) -> list[Entry]:
    for name, (content, program) in files.items():
        (root / name).write_bytes(content)
        (root / name).chmod(0o755 if program else 0o644)
    return scan(root)


@QUIET
@given(have=TREES, want=TREES)
def test_digest_and_delta_agree_with_the_file_system(
    tmp_path_factory: pytest.TempPathFactory, have: Files, want: Files
) -> None:
    old, new = make(tmp_path_factory.mktemp("tree"), have), make(tmp_path_factory.mktemp("tree"), want)
    assert delta(old, new) == Delta(
        added=sorted(want.keys() - have.keys()),
        changed=sorted(name for name in want.keys() & have.keys() if want[name] != have[name]),
        removed=sorted(have.keys() - want.keys()),
    )
    assert (digest(old) == digest(new)) is (have == want)


@QUIET
@given(files=TREES, later=TREES)
def test_what_is_known_of_a_tree_saves_reading_it_and_changes_no_answer(
    tmp_path_factory: pytest.TempPathFactory, files: Files, later: Files
) -> None:
    root = tmp_path_factory.mktemp("tree")
    known = {entry.path: entry for entry in make(root, files)}
    make(root, later)
    assert scan(root, known) == scan(root)


@QUIET
@given(have=TREES, want=TREES)
def test_a_file_of_the_copy_has_the_time_of_the_live_one_exactly_when_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, have: Files, want: Files
) -> None:
    root = tmp_path_factory.mktemp("tree")
    live, copy = make(root, have), tmp_path_factory.mktemp("copy")
    entries = make(copy, want)
    align_times(copy, live, entries)
    for name in have.keys() & want.keys():
        same_time = int((root / name).stat().st_mtime) == int((copy / name).stat().st_mtime)
        assert same_time is (have[name][0] == want[name][0])


def test_what_python_writes_at_run_time_is_outside_the_digest(tmp_path: Path) -> None:
    before = digest(scan(write(tmp_path, {"p/a.py": ""})))
    write(tmp_path, {"p/__pycache__/a.cpython-311.pyc": "x", "b.pyc": "x"})
    assert digest(scan(tmp_path)) == before


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert scan(tmp_path) == [Entry("pipe", "other", "")]


def test_an_id_is_utc_time_and_the_start_of_the_digest() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert release_id("0123456789abcdef", now) == "20260102T030405Z-0123456789ab"


@pytest.mark.parametrize(("name", "below"), [("P/a.py", False), ("L/a.py", True), ("P/L/b/a.py", True), ("L", False)])
def test_a_path_through_a_link_of_the_tree_is_known(tmp_path: Path, name: str, below: bool) -> None:
    (tmp_path / "P").mkdir()
    (tmp_path / "L").symlink_to("/etc")
    (tmp_path / "P/L").symlink_to("/etc")
    assert is_below_link(tmp_path, name) is below
