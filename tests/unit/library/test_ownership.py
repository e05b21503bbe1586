"""Owners and modes of DAGs and logs: what is right, and that nothing outside is ever touched."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path, PurePosixPath

import pytest
from ansible.module_utils.ownership import Area, Attributes, Rule, below_release

from library.airflow_ownership import difference, line

DAGS = Rule(10, 20, 0o640, 0o750, exact=True)
LOGS = Rule(10, 20, 0o640, 0o2750, exact=False, accepted=frozenset({11}))
FILE, FOLDER, LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK


@pytest.mark.parametrize(
    ("rule", "kind", "runtime", "have", "want"),
    [
        pytest.param(DAGS, FILE, False, (0, 0, 0o644), (10, 20, 0o640), id="root's file"),
        pytest.param(DAGS, FILE, False, (10, 20, 0o700), (10, 20, 0o750), id="a program"),
        pytest.param(DAGS, FILE, False, (10, 20, 0o4755), (10, 20, 0o750), id="setuid goes"),
        pytest.param(DAGS, FILE, True, (0, 0, 0o4755), (10, 20, 0o755), id="setuid goes from bytecode"),
        pytest.param(LOGS, FILE, False, (0, 0, 0o4755), (10, 20, 0o755), id="setuid goes from a log"),
        pytest.param(LOGS, FILE, False, (0, 0, 0o2755), (10, 20, 0o755), id="setgid goes from a log"),
        pytest.param(DAGS, FOLDER, False, (10, 0, 0o777), (10, 20, 0o750), id="a folder"),
        pytest.param(DAGS, LINK, False, (0, 0, 0o777), (10, 20, 0o777), id="a link"),
        pytest.param(DAGS, FILE, True, (0, 0, 0o644), (10, 20, 0o644), id="bytecode keeps its mode"),
        pytest.param(LOGS, FILE, False, (10, 20, 0o664), (10, 20, 0o664), id="a log"),
        pytest.param(LOGS, FILE, False, (0, 0, 0o600), (10, 20, 0o640), id="root's log"),
        pytest.param(LOGS, FILE, False, (11, 20, 0o664), (11, 20, 0o664), id="the log of a run_as_user"),
        pytest.param(LOGS, FOLDER, False, (10, 20, 0o755), (10, 20, 0o2755), id="a folder of logs"),
    ],
)
def test_a_rule_says_what_is_right(
    rule: Rule, kind: int, runtime: bool, have: tuple[int, int, int], want: tuple[int, int, int]
) -> None:
    assert rule.wanted(kind | have[2], Attributes(*have), runtime) == Attributes(*want)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder like AIRFLOW_HOME, with a live release, and a file outside of it."""
    home = tmp_path / "airflow"
    release = home / "dag_releases/20260314T092600Z-0123456789ab"
    (release / "PKG").mkdir(parents=True)
    (release / "PKG/PR.py").write_text("")
    (tmp_path / "outside").write_text("")
    (tmp_path / "outside").chmod(0o600)
    (release / "PKG/link").symlink_to(tmp_path / "outside")
    (home / "dags").symlink_to(release)
    return home


def area(home: Path) -> Area:
    rule = Rule(os.getuid(), os.getgid(), 0o640, 0o750, exact=True)
    return Area(PurePosixPath(home / "dag_releases"), rule)


def test_modes_are_brought_back_and_a_second_look_finds_nothing(tree: Path) -> None:
    path = PurePosixPath(tree / "dag_releases")
    preview = area(tree).change(path, dry=True)
    done = area(tree).change(path, dry=False)
    assert preview == done
    assert {change.path.removeprefix(str(path)) for change in done[0]} >= {
        "",
        "/20260314T092600Z-0123456789ab/PKG/PR.py",
    }
    assert area(tree).change(path, dry=False) == ([], done[1], True)


def test_a_link_is_never_followed(tree: Path) -> None:
    area(tree).change(PurePosixPath(tree / "dag_releases"), dry=False)
    assert stat.S_IMODE((tree.parent / "outside").stat().st_mode) == 0o600
    (tree / "dag_releases/elsewhere").symlink_to(tree.parent)
    with pytest.raises(OSError, match="elsewhere"):
        area(tree).change(PurePosixPath(tree / "dag_releases/elsewhere/outside"), dry=False)


def test_what_does_not_exist_is_said(tree: Path) -> None:
    assert area(tree).change(PurePosixPath(tree / "dag_releases/none/such"), dry=False) == ([], 0, False)


def test_a_file_with_a_second_name_is_left_alone(tree: Path) -> None:
    foreign = Rule(os.getuid() + 1, os.getgid(), 0o640, 0o750, exact=True)
    second = tree / "dag_releases/second"
    second.hardlink_to(tree.parent / "outside")
    changes, _, _ = Area(PurePosixPath(tree / "dag_releases"), foreign).change(PurePosixPath(second), dry=False)
    assert [change.refused for change in changes] == ["it has a second name"]
    assert stat.S_IMODE(second.stat().st_mode) == 0o600


def test_a_path_below_the_dags_link_lies_in_the_live_release(tree: Path) -> None:
    dags = PurePosixPath(tree / "dags")
    assert below_release(dags / "PKG/PR.py", dags) == PurePosixPath((tree / "dags").readlink()) / "PKG/PR.py"
    assert below_release(dags, dags) == dags
    for target in ("/etc", str(tree / "dag_releases/..")):
        (tree / "dags").unlink()
        (tree / "dags").symlink_to(target)
        with pytest.raises(ValueError, match=f"leads to {os.path.normpath(target)} and not to a release"):
            below_release(dags / "passwd", dags)


def test_a_name_that_is_not_utf8_can_be_shown(tree: Path) -> None:
    os.close(os.open(os.fsencode(tree) + b"/dag_releases/\xc7\xd1.py", os.O_CREAT | os.O_WRONLY, 0o666))
    changes, _, _ = area(tree).change(PurePosixPath(tree / "dag_releases"), dry=False)
    shown_lines = [line(change) for change in changes]
    assert any("\\xc7\\xd1.py" in each for each in shown_lines)
    assert "\\xc7\\xd1.py" in difference(changes)["before"]
    json.dumps(shown_lines, ensure_ascii=False).encode()
