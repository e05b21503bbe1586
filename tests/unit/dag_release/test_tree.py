"""What belongs into a release, and that digest, delta and copy agree with the file system."""

import os
import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_ops.dag_release.agent.tree import Entry, digest, mode_of, scan
from airflow_ops.dag_release.tree import (
    Delta,
    copy,
    delta,
    entries,
    is_below_link,
    release_id,
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


def test_a_copy_has_the_modes_of_a_release_and_is_new(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"p/a.py": "x", "s.sh": ""})
    (source / "s.sh").chmod(0o777)
    (source / "link").symlink_to("s.sh")
    os.utime(source / "p/a.py", (1, 1))
    (target := tmp_path / "target").mkdir()
    files = {"p/a.py": source / "p/a.py", "s.sh": source / "s.sh", "l": source / "link", "x/c.py": source / "p/a.py"}
    copy(files, target, 0o640, 0o750)
    copied = [path for path in target.rglob("*") if not path.is_symlink()]
    modes = {path.relative_to(target).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in copied}
    assert modes == {"p": 0o750, "p/a.py": 0o640, "s.sh": 0o750, "x": 0o750, "x/c.py": 0o640}
    assert (target / "p/a.py").stat().st_mtime > 1
    assert entries(files) == scan(target)


@pytest.mark.parametrize(("mode", "program"), [(0o640, 0o750), (0o644, 0o755), (0o660, 0o770)])
def test_who_may_read_a_program_may_run_it(mode: int, program: int) -> None:
    assert (mode_of("file", mode), mode_of("program", mode)) == (mode, program)


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
def test_a_path_through_a_link_of_the_tree_is_known(name: str, below: bool) -> None:
    live = {path: Entry(path, "link" if path.endswith("L") else "file", "/etc") for path in ("L", "P/L", "P/b.py")}
    assert is_below_link(live, name) is below
