"""A folder or a commit as the source of a tree, and what git knows of it."""

import subprocess
from pathlib import Path

import pytest

from airflow_ops.dag_release import source as module
from airflow_ops.dag_release.plan import ReleaseError, Source
from airflow_ops.dag_release.source import check_out, describe, resolved, shown


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Kim", "-c", "user.email=kim@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags/a.py").write_text("1")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")


def test_a_plain_folder_has_no_origin(tmp_path: Path) -> None:
    with resolved(Source(tmp_path)) as (source, origin):
        assert (source.folder, origin) == (tmp_path, {})


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not a folder"), resolved(Source(tmp_path / "none")):
        pass


def test_a_folder_of_a_work_tree_records_its_commit(repo: Path) -> None:
    found = describe(repo / "dags")
    assert found["commit"] == git(repo, "rev-parse", "HEAD").strip()
    assert (found["author"], found["dirty"]) == ("Kim <kim@example.org>", False)


@pytest.mark.parametrize(
    ("change", "dirty"),
    [("dags/a.py", True), ("dags/new.py", True), ("elsewhere.py", False)],
    ids=["edited", "not added", "outside of the folder"],
)
def test_a_dirty_folder_is_refused_unless_that_is_allowed(repo: Path, change: str, dirty: bool) -> None:
    (repo / change).write_text("2")
    assert describe(repo / "dags")["dirty"] is dirty
    if dirty:
        with pytest.raises(ReleaseError, match="1 uncommitted changes"), resolved(Source(repo / "dags")):
            pass
    for allowed in (Source(repo / "dags", allow_dirty=True), Source(repo / "dags", files=["a.py"])):
        with resolved(allowed) as (_, origin):
            assert origin["dirty"] is dirty


@pytest.mark.parametrize("version", ["HEAD", "main", "v1", "commit"])
def test_a_commit_is_checked_out_exactly(repo: Path, version: str) -> None:
    git(repo, "tag", "v1")
    commit = git(repo, "rev-parse", "HEAD").strip()
    with resolved(Source(Path(), repo=str(repo), version=commit if version == "commit" else version)) as (
        found,
        origin,
    ):
        assert [path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*.py")] == ["dags/a.py"]
        assert origin == {"repo": str(repo), "commit": commit, "author": "Kim <kim@example.org>", "dirty": False}


def test_a_second_run_fetches_what_is_new(repo: Path) -> None:
    with resolved(Source(Path(), repo=str(repo))):
        pass
    (repo / "dags/a.py").write_text("2")
    git(repo, "commit", "-qam", "two")
    with resolved(Source(Path(), repo=str(repo))) as (found, _):
        assert (found.folder / "dags/a.py").read_text() == "2"


def test_changes_that_no_commit_brings_are_refused(repo: Path) -> None:
    (repo / "dags/new.py").write_text("")
    with pytest.raises(ReleaseError, match="uncommitted changes"), resolved(Source(Path(), repo=str(repo))):
        pass


@pytest.mark.parametrize("version", ["no-such-branch", "--upload-pack=x"])
def test_an_unknown_revision_is_one_sentence(repo: Path, version: str) -> None:
    with pytest.raises(ReleaseError), resolved(Source(Path(), repo=str(repo), version=version)):
        pass


def test_a_password_stays_out_of_arguments_and_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    run = subprocess.run

    def watched(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        calls.append(" ".join(command))
        return run(command, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "run", watched)
    with pytest.raises(ReleaseError) as refusal:
        check_out("https://kim:SECRET@host.invalid/r.git", "HEAD", tmp_path, tmp_path / "cache")
    assert "SECRET" not in str(refusal.value) + "".join(calls)
    (secret,) = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()]
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("repo", "text"),
    [
        ("https://kim:pw@host/r.git", "https://host/r.git"),
        ("ssh://git@host/r.git", "ssh://host/r.git"),
        ("git@host:r.git", "git@host:r.git"),
        ("/srv/r", "/srv/r"),
    ],
)
def test_shown(repo: str, text: str) -> None:
    assert shown(repo) == text
