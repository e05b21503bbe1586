"""Small files of one owner: what counts as a difference, and that links lead nowhere."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.module_utils import written_files
from ansible.module_utils.owned_files import File, Owner, read
from ansible.module_utils.written_files import bring

from library.airflow_files import diff

ME = Owner(os.geteuid(), os.getegid())
WANTED = File("new\n", ME, 0o640)


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep state and copies in a folder of the test."""
    folder = tmp_path_factory.mktemp("state") / "files"
    monkeypatch.setattr(written_files, "STATE", folder)
    return folder


def changed(path: Path, dry: bool = False, wanted: File = WANTED) -> bool:
    """Bring a file to what is wanted; return whether it differed."""
    return bool(bring({str(path): wanted}, ME, dry)[0])


def plant(path: Path, content: str = "new\n", mode: int = 0o640) -> None:
    path.write_text(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("prepare", "differs"),
    [
        pytest.param(plant, False, id="as wanted"),
        pytest.param(lambda path: None, True, id="missing"),
        pytest.param(lambda path: plant(path, "old\n"), True, id="other content"),
        pytest.param(lambda path: plant(path, mode=0o644), True, id="other mode"),
        pytest.param(lambda path: path.symlink_to("elsewhere"), True, id="broken link"),
        pytest.param(os.mkfifo, True, id="pipe"),
    ],
)
def test_a_file_is_replaced_when_something_differs(
    tmp_path: Path, prepare: Callable[[Path], None], differs: bool
) -> None:
    path = tmp_path / "file"
    prepare(path)
    assert changed(path, dry=True) == differs
    assert changed(path) == differs
    assert not changed(path)
    assert read(str(path)) == WANTED
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_link_leads_to_stays_as_it_is(tmp_path: Path) -> None:
    plant(tmp_path / "target", "target\n", 0o600)
    (tmp_path / "file").symlink_to("target")
    assert changed(tmp_path / "file")
    assert read(str(tmp_path / "target")) == File("target\n", ME, 0o600)
    assert read(str(tmp_path / "file")) == WANTED


def test_a_preview_writes_nothing(tmp_path: Path, state: Path) -> None:
    assert bring({str(tmp_path / "folder/file"): WANTED}, ME, True) == ({str(tmp_path / "folder/file"): None}, [])
    assert not list(tmp_path.iterdir())
    assert not state.exists()


@pytest.mark.parametrize(
    ("content", "mode", "before", "after"),
    [
        pytest.param("old\n", 0o600, "old\n", "new\n", id="texts"),
        pytest.param("new\n", 0o600, f"{ME.user}:{ME.group} 0600\n", f"{ME.user}:{ME.group} 0640\n", id="attributes"),
    ],
)
def test_the_difference_shows_what_differs(tmp_path: Path, content: str, mode: int, before: str, after: str) -> None:
    plant(tmp_path / "file", content, mode)
    difference = diff("x", read(str(tmp_path / "file")), WANTED)
    assert (difference["before"], difference["after"]) == (before, after)
    assert diff("x", None, WANTED)["before"] == ""


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    assert changed(tmp_path / "folder/file")
    assert read(str(tmp_path / "folder/file")) == WANTED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
def test_a_file_of_another_account_is_written_as_that_account() -> None:
    other = Owner(65534, 65533)
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which only root may enter
        home, of_root = Path(folder, "home"), Path(folder, "of_root")
        home.mkdir()
        of_root.mkdir()
        Path(folder).chmod(0o711)
        os.chown(home, *other)
        (home / "link").symlink_to(of_root)
        bring({str(home / "file"): File("x", other, 0o640)}, other, False)
        with pytest.raises(PermissionError):
            bring({str(home / "link/file"): File("x", other, 0o640)}, other, False)
        assert os.geteuid() == 0
        assert read(str(home / "file")) == File("x", other, 0o640)
        assert not list(of_root.iterdir())


HIDDEN = {
    "of root": (Owner(0, 0), 0o600, "root:root with mode 0600"),
    "of nobody knows whom": (Owner(4242424, 4242424), 0o640, "4242424:4242424 with mode 0640"),
    "its own": (Owner(65534, 65533), 0o000, "nobody:65533 with mode 0000"),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
@pytest.mark.parametrize("dry", [True, False], ids=["preview", "run"])
@pytest.mark.parametrize(("holder", "mode", "seen"), HIDDEN.values(), ids=HIDDEN)
def test_a_file_that_its_owner_cannot_read_is_not_replaced(holder: Owner, mode: int, seen: str, dry: bool) -> None:
    other = Owner(65534, 65533)
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, *other)
        path = Path(folder, "airflow.cfg")
        plant(path, "by hand", mode)
        os.chown(path, *holder)
        with pytest.raises(PermissionError) as raised:
            bring({str(path): File("x", other, 0o640)}, other, dry)
        assert raised.value.strerror == (
            f"it belongs to {seen}, so nobody cannot read it and what it holds would be lost; "
            f"as root on {platform.node()} type: chown nobody:65533 {path} && chmod u+r {path}"
        )
        assert path.read_text() == "by hand"
        bring({str(path): File("x", other, 0o640)}, other, dry, keep=False)
        assert path.read_text() == ("by hand" if dry else "x")


def kept(state: Path) -> list[bytes]:
    """Return the copies, oldest first."""
    return [path.read_bytes() for path in sorted(state.glob("edited/**/*Z"))]


def test_what_somebody_wrote_by_hand_is_kept_and_told_once(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "file"
    assert changed(path)
    path.write_bytes(b"by hand \xff\n")
    before, (preview,) = bring({str(path): WANTED}, ME, True)
    assert preview.endswith(f"{path} was changed by hand since it was last written; what it holds would be kept below "
                            f"{state}/edited.")  # fmt: skip
    assert kept(state) == []
    before, (sentence,) = bring({str(path): WANTED}, ME, False)
    assert before[str(path)] is not None
    (copy,) = state.glob("edited/**/*Z")
    assert sentence.endswith(f"{path} was changed by hand since it was last written; what it held is kept in {copy}.")
    assert copy.read_bytes() == b"by hand \xff\n"
    assert (copy.stat().st_mode & 0o777, copy.stat().st_uid) == (0o600, os.geteuid())
    assert state.stat().st_mode & 0o777 == 0o700
    assert bring({str(path): WANTED}, ME, False) == ({}, [])


def test_what_we_wrote_ourselves_is_not_kept(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "file"
    for text in ("one", "two", "three"):
        assert bring({str(path): File(text, ME, 0o640)}, ME, False)[1] == []
    path.chmod(0o600)
    assert bring({str(path): File("three", ME, 0o640)}, ME, False)[1] == []
    assert kept(state) == []


def test_an_edit_that_the_inventory_took_over_is_ours(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "file"
    assert changed(path)
    path.write_text("by hand")
    assert not changed(path, wanted=File("by hand", ME, 0o640))
    assert bring({str(path): WANTED}, ME, False)[1] == []
    assert kept(state) == []


def test_a_file_of_somebody_else_is_kept(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "file"
    plant(path, "of Ambari")
    (sentence,) = bring({str(path): WANTED}, ME, False)[1]
    assert f"{path} was not written by this version; what it held is kept in {state}/edited{path}/" in sentence
    assert kept(state) == [b"of Ambari"]


def test_nothing_is_kept_where_nobody_writes_by_hand(tmp_path: Path, state: Path) -> None:
    plant(tmp_path / "file", "old")
    assert bring({str(tmp_path / "file"): WANTED}, ME, False, keep=False)[1] == []
    assert not state.exists()


def test_the_newest_copies_of_each_file_stay(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_files, "KEPT", 2)
    for text in ("a", "b", "c"):
        for name in ("file", "other"):
            (tmp_path / name).write_text(text)
            assert changed(tmp_path / name)
    assert sorted(kept(state)) == [b"b", b"b", b"c", b"c"]


def test_a_file_that_cannot_be_kept_is_not_replaced(tmp_path: Path, state: Path) -> None:
    plant(tmp_path / "file", "by hand")
    (tmp_path / "elsewhere").mkdir()
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="no folder of root"):
        bring({str(tmp_path / "file"): WANTED}, ME, False)
    assert (tmp_path / "file").read_text() == "by hand"
    assert not list((tmp_path / "elsewhere").iterdir())
