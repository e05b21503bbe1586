"""A folder or a commit as the source of a tree, and what git knows of it."""

import subprocess
from pathlib import Path

import pytest

from airflow_ops.dag_release import source as module
from airflow_ops.dag_release.checks import findings
from airflow_ops.dag_release.git import Wanted, absolute, check_out, describe, is_local, shown
from airflow_ops.dag_release.plan import ReleaseError, Source
from airflow_ops.dag_release.source import resolved


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
        check_out(Wanted("https://kim:SECRET@host.invalid/r.git", "HEAD"), tmp_path, tmp_path / "cache")
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


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_subfolder_of_a_repository_is_the_tree(repo: Path) -> None:
    (repo / "tests").mkdir()
    (repo / "tests/test_dags.py").write_text("import pytest")
    (repo / "setup.py").write_text("")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "two")
    (repo / "setup.py").write_text("# not part of what is delivered")
    with resolved(Source(Path(), repo=str(repo), subfolder="dags/")) as (found, _):
        assert names(found.folder) == ["a.py"]


@pytest.mark.parametrize(
    ("subfolder", "why"),
    [
        ("nowhere", "has no folder nowhere"),
        ("dags/a.py", "has no folder"),
        ("../x", "must be a path"),
        ("/x", "must be"),
    ],
)
def test_a_subfolder_that_is_none_is_refused(repo: Path, subfolder: str, why: str) -> None:
    with pytest.raises(ReleaseError, match=why), resolved(Source(Path(), repo=str(repo), subfolder=subfolder)):
        pass


def test_a_subfolder_needs_a_repository(repo: Path) -> None:
    with pytest.raises(ReleaseError, match="dag_release_subfolder is set"), resolved(Source(repo, subfolder="dags")):
        pass


@pytest.fixture
def outer(repo: Path, tmp_path: Path) -> Path:
    """Return a repository with a submodule in dags, which has one itself, and one beside dags."""
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder in (inner, outer):
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "word.py").write_text(folder.name)
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(inner, *add, str(repo), "deep")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    git(outer, *add, "../inner", "dags/shared")
    git(outer, *add, str(repo), "beside")
    git(outer, "add", "-A")
    git(outer, "commit", "-qm", "outer")
    return outer


@pytest.mark.parametrize(
    ("subfolder", "expected"),
    [
        ("", ["beside/dags/a.py", "dags/shared/deep/dags/a.py", "dags/shared/word.py", "word.py"]),
        ("dags", ["shared/deep/dags/a.py", "shared/word.py"]),
        ("dags/shared", ["deep/dags/a.py", "word.py"]),
        ("dags/shared/deep/dags", ["a.py"]),
    ],
)
def test_submodules_come_with_the_part_that_they_lie_in(outer: Path, subfolder: str, expected: list[str]) -> None:
    with resolved(Source(Path(), repo=str(outer), subfolder=subfolder)) as (found, _):
        assert [name for name in names(found.folder) if ".git" not in name] == expected


def test_a_submodule_that_cannot_be_fetched_is_named(outer: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").rename(tmp_path / "moved")
    with (
        pytest.raises(ReleaseError, match="dags/shared is a submodule, and from"),
        resolved(Source(Path(), repo=str(outer))),
    ):
        pass


def test_a_repository_elsewhere_brings_no_folder_of_this_machine(
    outer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_ops.dag_release.git.is_local", lambda _: False)
    with pytest.raises(ReleaseError, match="'file' not allowed"):
        check_out(Wanted(str(outer), "HEAD"), tmp_path / "target", tmp_path / "cache")


def test_a_folder_with_a_submodule_that_was_not_fetched_is_refused(outer: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(outer), str(clone))
    with (
        pytest.raises(ReleaseError, match="dags/shared is a submodule that was not fetched"),
        resolved(Source(clone / "dags", allow_dirty=True)),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "repo", "expected"),
    [
        ("https://host/b.git", "https://kim:pw@host/team/a.git", "https://host/b.git"),
        ("../b.git", "https://kim:pw@host/team/a.git", "https://kim:pw@host/team/b.git"),
        ("../../b.git", "https://host/team/a.git/", "https://host/b.git"),
        ("./b.git", "/srv/a", "/srv/a/b.git"),
        ("../b.git", "git@host:team/a.git", "git@host:team/b.git"),
        ("../b.git", "git@host:a.git", "git@host:b.git"),
    ],
)
def test_the_address_of_a_submodule(address: str, repo: str, expected: str) -> None:
    assert absolute(address, repo) == expected


@pytest.mark.parametrize(
    ("repo", "expected"),
    [
        ("/srv/a", True),
        ("file:///srv/a", True),
        ("a", True),
        ("https://host/a", False),
        ("git@host:a", False),
        ("ext::sh", False),
    ],
)
def test_is_local(repo: str, expected: bool) -> None:
    assert is_local(repo) is expected


@pytest.fixture
def lfs(repo: Path) -> Path:
    """Return the repository with a file that Git LFS holds; its account has git-lfs set up, the test's has not."""
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repo / "dags/model.bin").write_bytes(b"the model itself" * 99)
    clean = ["-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.required=true"]
    git(repo, *clean, "add", "-A")
    git(repo, *clean, "commit", "-qm", "a model")
    return repo


def test_files_of_git_lfs_are_fetched(lfs: Path) -> None:
    with resolved(Source(Path(), repo=str(lfs), subfolder="dags")) as (found, _):
        assert (found.folder / "model.bin").read_bytes() == b"the model itself" * 99


def test_without_git_lfs_its_files_are_refused_by_name(lfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ops.dag_release.git.shutil.which", lambda _: None)
    with resolved(Source(Path(), repo=str(lfs), subfolder="dags")) as (found, _):
        (finding,) = findings({path.name: path for path in found.folder.iterdir()}, found).all
    assert finding.startswith("model.bin is a Git LFS pointer")
