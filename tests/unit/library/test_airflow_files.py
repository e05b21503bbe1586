"""Small files of one owner: what counts as a difference, and that links lead nowhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from library.airflow_files import File, Owner, acting_as, read, replace_all

ME = Owner(os.geteuid(), os.getegid())
WANTED = File("new\n", ME, 0o640)


def plant(path: Path, content: str = "new\n", mode: int = 0o640) -> None:
    path.write_text(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("prepare", "changed"),
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
    tmp_path: Path, prepare: Callable[[Path], None], changed: bool
) -> None:
    path = tmp_path / "file"
    prepare(path)
    assert bool(replace_all({str(path): WANTED}, dry=True)) == changed
    assert bool(replace_all({str(path): WANTED}, dry=False)) == changed
    assert read(str(path)) == WANTED
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_link_leads_to_stays_as_it_is(tmp_path: Path) -> None:
    plant(tmp_path / "target", "target\n", 0o600)
    (tmp_path / "file").symlink_to("target")
    replace_all({str(tmp_path / "file"): WANTED}, dry=False)
    assert read(str(tmp_path / "target")) == File("target\n", ME, 0o600)
    assert read(str(tmp_path / "file")) == WANTED


def test_a_preview_writes_nothing_and_shows_the_difference(tmp_path: Path) -> None:
    path = tmp_path / "folder/file"
    assert replace_all({str(path): WANTED}, dry=True) == [
        {"path": str(path), "before_header": str(path), "before": "", "after_header": str(path), "after": "new\n"}
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "mode", "before", "after"),
    [
        pytest.param("old\n", 0o600, "old\n", "new\n", id="texts"),
        pytest.param("new\n", 0o600, f"{ME.user}:{ME.group} 0600\n", f"{ME.user}:{ME.group} 0640\n", id="attributes"),
    ],
)
def test_the_difference_shows_what_differs(tmp_path: Path, content: str, mode: int, before: str, after: str) -> None:
    plant(tmp_path / "file", content, mode)
    (difference,) = replace_all({str(tmp_path / "file"): WANTED}, dry=True)
    assert (difference["before"], difference["after"]) == (before, after)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    replace_all({str(tmp_path / "folder/file"): WANTED}, dry=False)
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
        with acting_as(other):
            replace_all({str(home / "file"): File("x", other, 0o640)}, dry=False)
            with pytest.raises(PermissionError):
                replace_all({str(home / "link/file"): File("x", other, 0o640)}, dry=False)
        assert os.geteuid() == 0
        assert read(str(home / "file")) == File("x", other, 0o640)
        assert not list(of_root.iterdir())
