"""Neighbours of the dags folder on a host: they switch with the release, and what was there before is never lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release.agent import beside, live, look, stage
from airflow_ops.dag_release.agent.place import AgentError, Place, release_ids
from airflow_ops.dag_release.agent.tree import scan
from tests.unit.dag_release.host import OWN_GROUP, content, delivered, pruned, staged, write
from tests.unit.dag_release.test_agent import NEW, OLD

NEWER = NEW.replace("02T", "03T")
PLUGIN = ".neighbours/plugins/x.py"
BRINGS = {"a.py": "new", PLUGIN: "new plugin", ".neighbours/include/q.sql": "new sql"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "home").mkdir()
    return Place(tmp_path / "home/dags", OWN_GROUP, neighbours=("include", "plugins"))


def read(place: Place) -> dict[str, str]:
    """Return what is read at the usual paths, through the dags link and beside it."""
    paths = ("dags/a.py", "plugins/x.py", "include/q.sql", "dags/../include/q.sql", "dags/../logs/l")
    return {path: (place.home / path).read_text() for path in paths if (place.home / path).exists()}


def shown(state: str) -> dict[str, str]:
    """Return what `read` finds when a release with neighbours is live."""
    sql = f"{state} sql"
    return {"dags/a.py": state, "plugins/x.py": f"{state} plugin", "include/q.sql": sql, "dags/../include/q.sql": sql}


def test_neighbours_go_live_and_back_with_the_dags(place: Place) -> None:
    delivered(place, OLD, {"a.py": "old"})
    beside.surround(place, [])
    assert read(place) == {"dags/a.py": "old"}
    staged(place, NEW, BRINGS)
    beside.surround(place, ["include"])
    _, undo = live.activate(place, NEW)
    assert read(place) == shown("new")
    undo()
    assert read(place) == {"dags/a.py": "old"}
    assert not os.path.lexists(place.home / "plugins")
    live.activate(place, NEW)
    live.commit(place, NEW, None)
    assert look.look(place)["digest"] == look.prove(place, NEW)["digest"]
    live.activate(place, OLD)  # the way back: its release brings none
    assert read(place) == {"dags/a.py": "old"}
    live.activate(place, NEW)
    assert read(place) == shown("new")


def test_a_link_to_a_neighbour_leads_there_staged_and_live(place: Place) -> None:
    stage.begin(place, NEW, 0, 0, [[path, "file", ""] for path in BRINGS] + [["sql", "link", "../include"]])
    write(place.staging(NEW), BRINGS)
    assert (place.staging(NEW) / "sql/q.sql").read_text() == "new sql"
    delivered(place, OLD, {"a.py": "old"})
    staged(place, NEW, BRINGS)
    (place.release(NEW) / "sql").symlink_to("../include")
    beside.surround(place, ["include"])
    live.activate(place, NEW)
    assert (place.dags / "sql/q.sql").read_text() == "new sql"


def test_a_folder_with_a_link_to_what_lies_beside_it_is_adopted(place: Place) -> None:
    write(place.home, {"dags/a.py": "1", "sql/q.sql": "beside"})
    (place.dags / "sql").symlink_to("../sql")
    beside.surround(place, [])
    delivered(place, OLD, {"a.py": "1"})
    assert (place.dags / "sql/q.sql").read_text() == "beside"


@pytest.mark.parametrize("dags", ["folder", "empty folder", "release", "nothing"])
def test_a_folder_that_was_there_is_part_of_what_was_live(place: Place, dags: str) -> None:
    if dags == "release":
        delivered(place, OLD, {"a.py": "old"})
    elif dags != "nothing":
        write(place.dags, {"a.py": "old"} if dags == "folder" else {"__pycache__/x": ""})
    write(place.home, {"plugins/x.py": "old plugin", "plugins/own.py": "own", "include/q.sql": "old sql"})
    before = {path: text for path, text in read(place).items() if ".." not in path}
    staged(place, NEW, BRINGS)
    live.activate(place, NEW)[1]()
    assert {path: text for path, text in read(place).items() if ".." not in path} == before
    assert not (place.home / "plugins").is_symlink()
    assert (place.home / "plugins/own.py").read_text() == "own"
    live.activate(place, NEW)
    live.commit(place, NEW, None)
    beside.surround(place, [])
    assert read(place) == shown("new")
    assert (place.home / "plugins/own.py").read_text() == "own"  # carried, as files of the dags folder are
    (old,) = [name for name in release_ids(place) if name != NEW]
    assert pruned(place) == []
    live.activate(place, old)
    assert {path: text for path, text in read(place).items() if ".." not in path} == before


def test_what_is_about_to_be_taken_over_is_seen_before(place: Place) -> None:
    delivered(place, OLD, {"a.py": "old"})
    write(place.home, {"plugins/own.py": "own"})
    seen = look.look(place)
    assert seen["unmanaged"] == [".neighbours/plugins/own.py"]
    assert [path for path, _, _ in seen["plugins"]] == [".neighbours/plugins/own.py"]
    report = staged(place, NEW, BRINGS, unmanaged="drop")
    live.activate(place, NEW)
    assert report["carried"] == []
    assert not (place.home / "plugins/own.py").exists()
    assert (place.release(OLD) / ".neighbours/plugins/own.py").read_text() == "own"


def test_what_tasks_write_into_a_neighbour_is_the_host_s(place: Place) -> None:
    delivered(place, OLD, {"a.py": "old"})
    write(place.home, {"include/state.json": "1", "plugins/x.py": "by hand"})
    assert ".neighbours/include/state.json" in look.look(place, brought=[PLUGIN])["runtime"]
    staged(place, NEW, {**BRINGS, ".neighbours/include/more.sql": ""})
    _, undo = live.activate(place, NEW)
    write(place.home, {"include/state.json": "2"})
    undo()
    assert (place.home / "include/state.json").read_text() == "2"
    live.activate(place, NEW)
    live.commit(place, NEW, OLD)
    write(place.home, {"include/state.json": "3", "plugins/cache.db": ""})
    first = noted(place)
    delivered(place, NEWER, BRINGS)
    assert (place.home / "include/state.json").read_text() == "3"
    assert noted(place) == first  # what a plugin writes is no change of the plugins
    live.activate(place, OLD)
    assert (place.home / "include/state.json").read_text() == "3"


def a_file(place: Place) -> None:
    write(place.home, {"plugins": "file"})


def a_link(place: Place) -> None:
    (place.home / "plugins").symlink_to("/srv/plugins")


def two_folders(place: Place) -> None:
    delivered(place, OLD, BRINGS)
    (place.home / "plugins").unlink()
    write(place.home, {"plugins/own.py": "own"})


@pytest.mark.parametrize(
    ("lay", "why"),
    [(a_file, "is a file"), (a_link, "is a link to /srv"), (two_folders, "the live release holds another")],
)
def test_what_cannot_be_taken_over_is_refused_at_the_first_look(place: Place, lay: Any, why: str) -> None:
    lay(place)
    with pytest.raises(AgentError, match=why):
        look.look(place)


def test_a_link_out_of_a_neighbour_is_refused(place: Place) -> None:
    write(place.home, {"plugins/x.py": "", "dags/a.py": ""})
    (place.home / "plugins/shared").symlink_to("../include")
    with pytest.raises(AgentError, match="plugins/shared is a relative link out of the folder"):
        staged(place, NEW, BRINGS)


def test_airflow_looks_for_no_dags_among_the_neighbours(place: Place) -> None:
    write(place.home, {"plugins/own.py": "own", "dags/a.py": "old"})
    staged(place, NEW, {"a.py": "new", PLUGIN: ""})
    live.activate(place, NEW)
    for tree in (place.release(NEW), place.release(release_ids(place)[0])):
        assert (tree / ".neighbours/.airflowignore").read_text() == beside.IGNORE_ALL
        assert ".neighbours/.airflowignore" not in {entry.path for entry in scan(tree)}


def test_what_a_staged_tree_reaches_is_what_will_lie_beside_it(place: Place) -> None:
    delivered(place, OLD, {"a.py": "old", ".neighbours/gone/x": "old", ".neighbours/include/q.sql": "old"})
    write(place.home, {"logs/l": "log"})
    folder = Path(stage.begin(place, NEW, 0, 0, [[".neighbours/include/q.sql", "file", "0"]])["staging"])
    write(folder, {".neighbours/include/q.sql": "new"})
    assert (folder.parent / "include/q.sql").read_text() == "new"
    assert (folder.parent / "logs/l").read_text() == "log"
    assert not (folder.parent / "gone/x").exists()


def test_a_way_over_the_dags_link_leads_to_what_lies_beside_it(place: Place) -> None:
    write(place.home, {"logs/l": "log", "dags/a.py": "old"})
    delivered(place, NEW, {"a.py": "new"})
    assert beside.surround(place, ["later"]) == {"made": ["dags", "later", "logs"]}
    assert beside.surround(place, ["later", OLD, "behind.json", "{{", "x" * 300, ".."]) == {"made": []}
    write(place.home, {"later/f": "now"})
    assert (place.home / "dags/../logs/l").read_text() == "log"
    assert (place.home / "dags/../later/f").read_text() == "now"
    assert content(place.home / "dags/../dags") == {"a.py": "new"}


def noted(place: Place) -> tuple[str, int] | None:
    note = place.releases / beside.CHANGED
    return (note.read_text(), note.stat().st_mtime_ns) if note.exists() else None


def test_a_change_of_the_plugins_is_noted_and_nothing_else(place: Place) -> None:
    delivered(place, OLD, {"a.py": "old"})
    assert noted(place) is None
    staged(place, NEW, BRINGS)
    _, undo = live.activate(place, NEW)
    assert noted(place)
    undo()
    assert noted(place) is None
    live.activate(place, NEW)
    live.commit(place, NEW, None)
    first = noted(place)
    delivered(place, NEWER, {**BRINGS, "a.py": "newer"})
    assert noted(place) == first
    live.activate(place, OLD)
    second = noted(place)
    assert second
    assert first
    assert second[0] != first[0]
    _, undo = live.activate(place, NEW)
    undo()
    assert noted(place) == second


def test_a_link_that_somebody_removed_is_made_again(place: Place) -> None:
    delivered(place, NEW, BRINGS)
    (place.home / "plugins").unlink()
    beside.surround(place, [])
    assert (place.home / "plugins/x.py").read_text() == "new plugin"
