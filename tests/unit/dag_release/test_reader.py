"""The instrument of the fault tests: the reader must see what is wrong with a live tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.dag_release import reader, source

OWNER = os.getuid()


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a link to a good release."""
    monkeypatch.setattr(source, "PAYLOAD", 10)
    monkeypatch.setattr(reader, "PASS", 0.01)
    source.renew(tmp_path / "dag_releases/one")
    (tmp_path / "dags").symlink_to(tmp_path / "dag_releases/one")
    (tmp_path / "dags/.neighbours").mkdir()
    (tmp_path / "dag_releases/include").rename(tmp_path / "dags/.neighbours/include")
    (tmp_path / "include").symlink_to("dags/.neighbours/include")
    (tmp_path / "dag_releases/include").symlink_to("../include")
    return tmp_path / "dags"


def mix(link: Path) -> None:
    source.renew(link.parent / "other")
    (link.parent / "other/PROC_0/PKG_A/PR_1.py").replace(link / "PROC_0/PKG_A/PR_1.py")


def lose(link: Path) -> None:
    (link / "PROC_0/PKG_A/PR_1.py").unlink()


def cut_short(link: Path) -> None:
    path = link / "COUNT.json"
    path.write_text(path.read_text()[:-1])


def spoil(link: Path) -> None:
    (link / "PROC_0/PKG_A/PR_1.py").write_text("def f(:\n")


def dangle(link: Path) -> None:
    (link.parent / "dag_releases/one").rename(link.parent / "away")


def unlink(link: Path) -> None:
    link.unlink()


def part(link: Path) -> None:
    """Let a folder lie beside that does not switch with the release."""
    (link.parent / "include").unlink()
    source.renew(link.parent / "other")


def test_a_good_release_has_nothing_wrong(link: Path) -> None:
    (link / "airflow_ops_check.py").write_text("x = 1\n")  # every release holds this; it says no release
    assert reader.one_pass(link, OWNER) == []


@pytest.mark.parametrize("fault", [mix, lose, cut_short, spoil, dangle, unlink, part], ids=lambda fault: fault.__name__)
def test_what_is_wrong_is_seen(link: Path, fault: Callable[[Path], None]) -> None:
    fault(link)
    assert reader.one_pass(link, OWNER)


def test_another_owner_is_seen(link: Path) -> None:
    assert len(reader.one_pass(link, OWNER + 1)) == len([path for path in link.rglob("*") if path.is_file()])
