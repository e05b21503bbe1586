"""Runtime files: what tasks write below the dags folder goes along with every release, as it is and without a gap."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pathspec import GitIgnoreSpec

from airflow_ops.dag_release.agent import live, look, runtime, stage
from airflow_ops.dag_release.agent.place import Place, release_ids
from airflow_ops.dag_release.agent.tree import Named, runtime_files, scan
from airflow_ops.dag_release.tree import named
from tests.unit.dag_release.host import OWN_GROUP, delivered, not_delivered, pruned, rolled_back, staged, write

A, B, C, D = (f"2026010{day}T000000Z-{day:012}" for day in range(1, 5))
DAG = {"a.py": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "dags", OWN_GROUP)


def naming(place: Place, *patterns: str) -> Place:
    return place._replace(runtime=named(patterns))


@pytest.mark.parametrize(
    ("paths", "brought", "patterns", "own"),
    [
        pytest.param("state/last.txt out.csv run.sh", "", "", "state/last.txt out.csv run.sh", id="what tasks write"),
        pytest.param("a.py b.zip c.so d/e.pyc f.egg g.whl h.ZIP", "", "", "", id="what Python or Airflow loads"),
        pytest.param(".airflowignore p/.airflowignore", "", "", "", id="what tells Airflow where to look"),
        pytest.param("a.sql b.sql", "a.sql", "", "b.sql", id="what a source brought"),
        pytest.param("own/__init__.py own/x.json own/q/y.json z.json", "", "", "z.json", id="a package of the host"),
        pytest.param("p/__init__.py p/x.json", "p/__init__.py", "", "p/x.json", id="a package that a source brought"),
        pytest.param("__init__.py x.json", "", "", "x.json", id="the tree itself is no package"),
        pytest.param("gen/a.py gen/b.txt c.py", "", "gen/", "gen/a.py gen/b.txt", id="named, though it is loaded"),
        pytest.param("gen/a.py gen/b.py", "", "gen/* !gen/a.py", "gen/b.py", id="taken out again"),
    ],
)
def test_whose_file_it_is(paths: str, brought: str, patterns: str, own: str) -> None:
    assert runtime_files(paths.split(), brought.split(), Named(named(patterns.split()))) == {*own.split()}


@pytest.mark.parametrize("pattern", ["state/", "*.csv", "/a/**/b", "x/*.log", "!keep.csv", "# words", "", "st?te/*"])
def test_patterns_mean_on_a_host_what_they_mean_here(pattern: str) -> None:
    lines = ["*.csv", pattern]
    paths = ["state/x", "p/state/x", "a/b", "a/q/b", "x/y.log", "keep.csv", "p/keep.csv", "state", "a/b/c.py", "e.csv"]
    spec, own = GitIgnoreSpec.from_lines(lines), Named(named(lines))
    assert [path for path in paths if path in own] == [path for path in paths if spec.match_file(path)]


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^!$"):
        named(["state/", "!"])


@pytest.mark.parametrize(
    ("own", "empty", "others", "whole"),
    [
        pytest.param("state/a state/q/b", "", "x.py", "state", id="a folder of the host"),
        pytest.param("P/state/a P/b", "", "P/x.py", "P/b P/state", id="in a folder of the release"),
        pytest.param("state/a state/q/b", "", "state/README", "state/a state/q", id="the release has one of its own"),
        pytest.param("", "work P/work", "P/x.py", "P/work work", id="empty folders"),
        pytest.param("", "P", "P/x.py", "", id="a folder of the release that is empty"),
        pytest.param("a", "", "", "a", id="a file at the top"),
    ],
)
def test_what_goes_over_as_a_whole(own: str, empty: str, others: str, whole: str) -> None:
    assert runtime.units(own.split(), empty.split(), others.split()) == whole.split()


def test_a_state_goes_along_with_deliveries_and_the_way_back(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"state/last.txt": "v1"})
    delivered(place, B, {"a.py": "2"})
    write(place.dags, {"state/last.txt": "v2"})
    assert rolled_back(place, A) == []
    assert (place.dags / "state/last.txt").read_text() == "v2"
    for release in (C, D):
        delivered(place, release, {"a.py": release})
        pruned(place)
    assert (place.dags / "state/last.txt").read_text() == "v2"
    assert look.look(place)["runtime"] == ["state/last.txt"]
    assert look.look(place)["unmanaged"] == []


@pytest.mark.parametrize("path", ["state/ticks.txt", "P/ticks.txt"], ids=["own folder", "beside a DAG"])
@pytest.mark.parametrize("before", ["folder", "release"])
def test_a_file_that_is_open_loses_nothing(place: Place, before: str, path: str) -> None:
    files = {"P/x.py": "1"}
    if before == "release":
        delivered(place, A, files)
    write(place.dags, {**files, path: ""})
    with (place.dags / path).open("a", buffering=1) as open_file:
        ticks = itertools.count()

        def tick() -> None:
            number = next(ticks)
            open_file.write(f"open {number}\n")
            with (place.dags / path).open("a") as other:
                other.write(f"anew {number}\n")

        tick()
        staged(place, B, files)
        tick()
        _, undo = live.activate(place, B)
        tick()
        undo()
        tick()
        not_delivered(place, C, files, tick)
        tick()
        delivered(place, D, files)
        tick()
        rolled_back(place, A if before == "release" else release_ids(place)[0])
        tick()
    wanted = [f"{how} {number}" for number in range(next(ticks)) for how in ("open", "anew")]
    assert (place.dags / path).read_text().splitlines() == wanted
    assert not (place.dags / path).is_symlink()


def at_the_switch(monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object]) -> None:
    """Let something happen in the last moment before the next switches and in the first one after."""
    real = live.link

    def link(place: Place, release_id: str) -> None:
        before()
        real(place, release_id)
        after()

    monkeypatch.setattr(live, "link", link)


def nothing() -> None:
    """Let nothing happen."""


def replace(path: Path, text: str) -> None:
    """Write a file as careful programs do."""
    new = path.with_name(f"{path.name}.tmp")
    new.write_text(text)
    new.rename(path)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("folder", ["state", "P", "P/new"])
@pytest.mark.parametrize("what", ["append", "replace", "replace by an old one", "delete", "create"])
def test_what_happens_in_the_moment_of_the_switch(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str, folder: str, what: str
) -> None:
    delivered(place, A, {"P/x.py": "1"})
    path, other = place.dags / folder / "f", place.dags / folder / "g"
    write(place.dags, {f"{folder}/f": "old\n"})
    os.utime(path, ns=(1, 1))

    def append() -> None:
        with path.open("a") as file:
            file.write("new\n")

    def replace_by_an_old_one() -> None:
        replace(path, "new\n")
        os.utime(path, ns=(0, 0))

    doing = {
        "append": append,
        "replace by an old one": replace_by_an_old_one,
        "replace": lambda: replace(path, "new\n"),
        "delete": path.unlink,
        "create": lambda: write(place.dags, {f"{folder}/g": "new\n", f"{folder}/deep/h": "new\n"}),
    }[what]
    at_the_switch(monkeypatch, doing if when == "before" else nothing, doing if when == "after" else nothing)
    delivered(place, B, {"P/x.py": "2"})
    have = {each: each.read_text() for each in (path, other, other.with_name("deep") / "h") if each.exists()}
    assert (
        have
        == {
            "append": {path: "old\nnew\n"},
            "replace": {path: "new\n"},
            "replace by an old one": {path: "new\n"},
            "delete": {},
            "create": {path: "old\n", other: "new\n", other.with_name("deep") / "h": "new\n"},
        }[what]
    )
    assert not any(each.is_symlink() for each in place.dags.resolve().rglob("*"))


def test_what_was_removed_stays_removed_on_the_way_back(place: Place) -> None:
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"state/f": "1", "P/g": "1"})
    delivered(place, B, {"P/x.py": "2"})
    (place.dags / "P/g").unlink()
    shutil.rmtree(place.dags / "state")
    rolled_back(place, A)
    assert {entry.path for entry in scan(place.dags)} == {"P/x.py"}
    write(place.dags, {"state/f": "2"})
    rolled_back(place, B)
    assert (place.dags / "state/f").read_text() == "2"


def test_a_temporary_file_that_is_renamed_after_the_switch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"P/f": "old", "P/f.tmp": "new"})
    at_the_switch(monkeypatch, nothing, lambda: (place.dags / "P/f.tmp").rename(place.dags / "P/f"))
    delivered(place, B, {"P/x.py": "2"})
    assert (place.dags / "P/f").read_text() == "new"
    assert not os.path.lexists(place.dags / "P/f.tmp")


def test_a_process_that_stands_in_the_old_release_works_on_the_same_files(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"state/f": "1"})
    old = place.release(A)
    delivered(place, B, {"a.py": "2"})
    write(old, {"state/f": "2", "state/new": "3", "later/g": "4", "h": "5"})
    assert (place.dags / "state/f").read_text() == "2"
    assert (place.dags / "state/new").read_text() == "3"
    delivered(place, C, {"a.py": "3"})
    assert {name: (place.dags / name).read_text() for name in ("later/g", "h")} == {"later/g": "4", "h": "5"}
    write(old, {"late": "6"})
    assert pruned(place) == [A]
    assert (place.dags / "late").read_text() == "6"


@pytest.mark.parametrize(("older", "kept"), [("old", "from the old release"), ("live", "from the live one")])
def test_of_two_files_the_newer_wins_and_the_other_is_kept(place: Place, older: str, kept: str) -> None:
    delivered(place, A, DAG)
    delivered(place, B, {"a.py": "2"})
    write(place.release(A), {"f": "from the old release"})
    write(place.dags, {"f": "from the live one"})
    os.utime((place.release(A) if older == "old" else place.dags) / "f", ns=(1, 1))
    (aside,) = delivered(place, C, {"a.py": "3"})["kept"]
    assert {Path(aside).read_text(), (place.dags / "f").read_text()} == {"from the old release", "from the live one"}
    assert Path(aside).read_text() == kept
    assert Path(aside).name == "f~19700101T000000.000000001Z"
    delivered(place, D, {"a.py": "4"})
    pruned(place)
    assert Path(aside).exists()


def test_what_the_source_brings_wins_and_the_file_of_the_host_waits(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"state/f": "own", "state/g": "own"})
    report = delivered(place, B, {**DAG, "state/f": "brought"})
    assert report["hidden"] == ["state/f"]
    assert (place.dags / "state/f").read_text() == "brought"
    assert (place.dags / "state/g").read_text() == "own"
    delivered(place, C, {"a.py": "3"})
    assert (place.dags / "state/f").read_text() == "own"


def test_a_hidden_file_is_kept_aside_before_its_release_goes(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"f": "own"})
    for release in (B, C, D):
        delivered(place, release, {"a.py": release, "f": "brought"})
    assert pruned(place) == [A, B]
    (kept,) = place.kept(A).iterdir()
    assert kept.read_text() == "own"


def test_a_release_that_is_staged_anew_keeps_what_waited_in_it(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"f": "own"})
    delivered(place, B, {"a.py": "2", "f": "brought"})
    delivered(place, A, DAG)
    assert (place.dags / "f").read_text() == "own"


def test_a_name_takes_a_file_out_of_older_releases_too(place: Place) -> None:
    delivered(place, A, {**DAG, "state/f": "brought", "gen/d.py": "brought"})
    own = naming(place, "state/", "gen/")
    write(place.dags, {"state/f": "written"})
    delivered(own, B, {"a.py": "2"})
    assert (place.dags / "state/f").read_text() == "written"
    assert (place.dags / "gen/d.py").read_text() == "brought"
    assert look.look(own)["runtime"] == ["gen/d.py", "state/f"]
    assert look.prove(own, A)["wrong"] == []
    write(place.dags, {"state/f": "newest"})
    rolled_back(own, A)
    assert (place.dags / "state/f").read_text() == "newest"
    assert (look.look(own)["edited"], look.look(own)["missing"]) == ([], [])


PACKAGE = {"a.py": "1", "p/__init__.py": ""}


def test_a_package_that_the_source_brings_later_keeps_what_lies_in_it(place: Place) -> None:
    files = {"p/q.sql": "1", "p/state.json": "1", "p/sub/x.json": "1"}
    delivered(place, A, DAG)
    write(place.dags, {"p/__init__.py": "", **files})
    delivered(place, B, PACKAGE)
    assert {name: (place.dags / name).read_text() for name in files} == files
    assert look.look(place)["runtime"] == sorted(files)
    now = dict.fromkeys(files, "now")
    write(place.dags, now)
    delivered(place, C, PACKAGE)
    rolled_back(place, B)  # into which they were carried: the copies of then are of no use any more
    assert {name: (place.dags / name).read_text() for name in files} == now
    assert not any(each.is_symlink() for each in place.dags.resolve().rglob("*"))


@pytest.mark.parametrize("way", ["delivered", "failed"])
def test_a_file_of_a_package_of_the_host_is_kept_on_the_way_back(place: Place, way: str) -> None:
    def anew() -> None:
        (place.dags / "p/history.log").unlink()
        write(place.dags, {"p/history.log": "new lines"})

    delivered(place, A, DAG)
    write(place.dags, {"p/__init__.py": "", "p/history.log": "old lines"})
    if way == "failed":
        not_delivered(place, B, PACKAGE, anew)
    else:
        delivered(place, B, PACKAGE)
        anew()
        rolled_back(place, A)
    assert (place.dags / "p/history.log").read_text() == "new lines"
    assert [file.read_text() for file in place.kept(B).rglob("*~*")] == ["old lines"]


@pytest.mark.parametrize("why", ["the pattern went", "it is a package now"])
def test_a_runtime_file_that_became_a_carried_one_is_kept_on_the_way_back(place: Place, why: str) -> None:
    name = "gen/d.py" if "pattern" in why else "gen/x.json"
    then = naming(place, "gen/") if "pattern" in why else place
    delivered(then, A, DAG)
    write(place.dags, {name: "written"})
    delivered(then, B, {"a.py": "2"})
    if "package" in why:
        write(place.dags, {"gen/__init__.py": ""})
    for release in (C, D):
        delivered(place, release, {"a.py": release})
    assert (place.dags / name).read_text() == "written"
    kept = rolled_back(place, A)  # where a link of ours stands for the folder
    assert "written" in [Path(each).read_text() for each in kept]


def test_what_is_dropped_is_not_what_tasks_wrote(place: Place) -> None:
    delivered(place, A, DAG)
    write(place.dags, {"state/f": "own", "own.py": "by hand"})
    delivered(place, B, {"a.py": "2"}, unmanaged="drop")
    assert {entry.path for entry in scan(place.dags)} == {"a.py", "state/f"}


def test_special_files_and_links_go_along_and_nobody_opens_them(place: Place, tmp_path: Path) -> None:
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"state/run_1": "1"})
    write(tmp_path / "code", {"dag.py": "1"})
    for folder in ("state", "P"):
        os.mkfifo(place.dags / folder / "pipe")
        (place.dags / folder / "last").symlink_to("run_1")
    (place.dags / "code").symlink_to(tmp_path / "code")
    (place.dags / "nowhere").symlink_to("/none/such")
    report = delivered(place, B, {"P/x.py": "2"})
    assert report["carried"] == ["code"], "Airflow looks for DAGs behind it"
    assert {(place.dags / folder / "pipe").is_fifo() for folder in ("state", "P")} == {True}
    assert (place.dags / "state/last").read_text() == "1"
    assert (place.dags / "P/last").readlink() == Path("run_1")
    assert (place.dags / "nowhere").readlink() == Path("/none/such")


def test_an_adopted_folder_gives_its_runtime_files_and_gets_them_back(place: Place) -> None:
    write(place.dags, {"p/__init__.py": "", "p/f": "own", "state/f": "own", "conf.json": "by hand"})
    source = {"p/__init__.py": "", "conf.json": "brought"}
    not_delivered(place, A, source, lambda: write(place.dags, {"state/f": "1"}))
    assert place.is_folder()
    assert (place.dags / "state/f").read_text() == "1"
    assert not any(each.is_symlink() for each in place.dags.rglob("*"))
    delivered(place, B, source)
    (adopted, _) = release_ids(place)
    write(place.dags, {"state/f": "2", "p/f": "2"})
    assert look.prove(place, adopted)["wrong"] == []
    rolled_back(place, adopted)
    assert {name: (place.dags / name).read_text() for name in ("state/f", "p/f", "conf.json")} == {
        "state/f": "2", "p/f": "2", "conf.json": "by hand",
    }  # fmt: skip


def test_a_host_that_dies_in_the_switch_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"state/f": "1", "P/g": "1"})
    staged(place, B, {"P/x.py": "2"})
    with monkeypatch.context() as killed:
        killed.setattr(live, "whole", lambda *args: nullcontext())  # the dead undo nothing
        at_the_switch(killed, nothing, lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            live.activate(place, B)
    assert place.live_id() == B
    write(place.dags, {"state/f": "2", "P/g": "2"})
    delivered(place, C, {"P/x.py": "3"})
    assert {name: (place.dags / name).read_text() for name in ("state/f", "P/g")} == {"state/f": "2", "P/g": "2"}
    assert not (place.dags / "state").is_symlink()


def test_a_step_that_fails_after_the_switch_puts_the_host_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_once_it_is_live(place: Place, source: runtime.Side, *args: Any) -> runtime.Gathered:
        if source.name == A and failing.pop():
            raise ZeroDivisionError
        return gather(place, source, *args)

    gather, failing = runtime.gather, [False, True]
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"state/f": "1", "P/g": "1"})
    staged(place, B, {"P/x.py": "2"})
    monkeypatch.setattr(runtime, "gather", fails_once_it_is_live)
    with pytest.raises(ZeroDivisionError):
        live.activate(place, B)
    assert failing == []
    assert place.live_id() == A
    assert {name: (place.dags / name).read_text() for name in ("state/f", "P/g")} == {"state/f": "1", "P/g": "1"}


def test_a_switch_that_never_was_brings_no_deleted_file_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(place: Place, release_id: str) -> None:
        raise OSError(28, "No space left on device")

    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"P/g": "1"})
    staged(place, B, {"P/x.py": "2"})
    with monkeypatch.context() as failing:
        failing.setattr(live, "link", full)
        with pytest.raises(OSError, match="No space"):
            live.activate(place, B)
    (place.dags / "P/g").unlink()
    delivered(place, C, {"P/x.py": "3"})
    assert not (place.dags / "P/g").exists()


def test_a_folder_that_this_account_cannot_see_stays_reachable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(folder: str) -> Any:
        if str(folder).rstrip("/").endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    scandir = os.scandir
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"P/secret/f": "1"})
    monkeypatch.setattr("airflow_ops.dag_release.agent.tree.os.scandir", closed)
    delivered(place, B, {"P/x.py": "2"})
    assert (place.dags / "P/secret/f").read_text() == "1"


def test_what_cannot_be_moved_stays_reachable_and_its_release_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Place, one: object, other: object) -> None:
        raise PermissionError(13, "Permission denied")

    delivered(place, A, DAG)
    write(place.dags, {"state/f": "1"})
    monkeypatch.setattr(runtime, "swap", refuse)
    assert delivered(place, B, {"a.py": "2"})["stuck"] == ["state"]
    for release in (C, D):
        delivered(place, release, {"a.py": release})
        write(place.dags, {"state/f": release})
    assert (place.release(A) / "state/f").read_text() == D
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda self, to: refuse(place, self, to) if "/state/" in str(self) else rename(self, to)
    )
    assert pruned(place) == [B]
    assert (place.dags / "state/f").read_text() == D


def test_staged_code_finds_the_runtime_files_when_it_is_loaded(place: Place) -> None:
    delivered(place, A, {"P/x.py": "1"})
    write(place.dags, {"P/conf.yml": "own", "state/f": "own"})
    stage.begin(place, B, 0, 0, [])
    write(place.staging(B), {"P/x.py": "2"})
    verified = {entry.path: entry for entry in stage.verify(place.staging(B))}
    stage.carry(place, B, "carry", verified)
    assert {name: (place.staging(B) / name).read_text() for name in ("P/conf.yml", "state/f")} == {
        "P/conf.yml": "own", "state/f": "own",
    }  # fmt: skip


PATHS = ("f", "P/f", "P/g", "state/f", "state/q/f", "P/state/f")
TREES = ({"P/x.py"}, {"P/x.py", "state/README"}, {"y.py"}, {"P/x.py", "P/f", "P/q/z.py"})


class Tasks(RuleBasedStateMachine):
    """Tasks write while releases come and go; what they wrote last is what lies there, but where a release has its own.

    In the moments before and after a switch they write, too. What waits in a release that goes is kept aside.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.place = Place(Path(self.folder.name, "dags"), OWN_GROUP)
        self.wanted: dict[str, str] = {}
        self.waited: set[str] = set()  # paths that a release brought while the host had such a file of its own
        self.ids = (f"{20260101 + number}T000000Z-{number:012}" for number in itertools.count())
        self.texts = map(str, itertools.count())
        self.brought: dict[str, set[str]] = {}
        self.real, self.moments = live.link, [nothing, nothing]
        live.link = self.link
        self.deliver(0)

    def teardown(self) -> None:
        if hasattr(self, "real"):
            live.link = self.real
            self.folder.cleanup()

    def link(self, place: Place, release_id: str) -> None:
        self.moments[0]()
        self.real(place, release_id)
        self.moments[1]()

    @property
    def hidden(self) -> set[str]:
        return self.brought[self.place.live_id() or ""]

    @rule(path=st.sampled_from(PATHS), how=st.sampled_from(["write", "replace", "delete"]))
    def work(self, path: str, how: str) -> None:
        if path in self.hidden:
            return
        full = self.place.dags / path
        full.parent.mkdir(parents=True, exist_ok=True)
        if how == "delete":
            full.unlink(missing_ok=True)
            self.wanted.pop(path, None)
            return
        self.wanted[path] = next(self.texts)
        (replace if how == "replace" else Path.write_text)(full, self.wanted[path])

    @rule(path=st.sampled_from(PATHS), number=st.integers(0, 3))
    def work_in_an_old_release(self, path: str, number: int) -> None:
        name = release_ids(self.place)[-1 - number % len(release_ids(self.place))]
        full = self.place.release(name) / path
        if path in self.brought[name] or path in self.hidden or path in self.wanted:
            return
        if os.path.lexists(full) or not full.parent.is_dir():
            return
        self.wanted[path] = next(self.texts)
        full.write_text(self.wanted[path])
        runtime.gather_all(self.place, "")

    @rule(tree=st.integers(0, len(TREES) - 1))
    def deliver(self, tree: int) -> None:
        release = next(self.ids)
        self.brought[release] = TREES[tree]
        delivered(self.place, release, dict.fromkeys(TREES[tree], release))

    @rule(tree=st.integers(0, len(TREES) - 1), path=st.sampled_from(PATHS))
    def fail(self, tree: int, path: str) -> None:
        release = next(self.ids)
        self.brought[release] = TREES[tree]
        not_delivered(self.place, release, dict.fromkeys(TREES[tree], release), lambda: self.work(path, "replace"))

    @rule(number=st.integers(0, 3))
    def go_back(self, number: int) -> None:
        release = release_ids(self.place)[-1 - number % len(release_ids(self.place))]
        if release != self.place.live_id():
            rolled_back(self.place, release)

    @rule(
        path=st.sampled_from(["P/g", "state/f"]), how=st.sampled_from(["write", "replace", "delete"]),
        moment=st.sampled_from([0, 1]),
    )  # fmt: skip
    def deliver_while_a_task_writes(self, path: str, how: str, moment: int) -> None:
        self.work(path, "write")
        self.moments[moment] = lambda: self.work(path, how)
        self.deliver(0)
        self.moments = [nothing, nothing]

    @rule()
    def prune(self) -> None:
        pruned(self.place)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "place"):
            return
        kept = {file.read_text() for file in self.place.releases.glob("*.kept/**/*") if file.is_file()}
        self.waited |= self.wanted.keys() & self.hidden
        for path in self.waited - self.hidden:  # its release may have gone meanwhile
            if path in self.wanted and not (self.place.dags / path).exists() and self.wanted[path] in kept:
                del self.wanted[path]
        shown = {path: text for path, text in self.wanted.items() if path not in self.hidden}
        have = {path: (self.place.dags / path).read_text() for path in PATHS if (self.place.dags / path).exists()}
        assert {path: text for path, text in have.items() if path not in self.hidden} == shown
        live_tree = self.place.release(self.place.live_id() or "")
        assert not [path for path in live_tree.rglob("*") if path.is_symlink()]
        assert {entry.path for entry in scan(live_tree)} >= self.hidden
        for name in release_ids(self.place):
            assert look.prove(self.place, name)["wrong"] == []


Tasks.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestTasks = Tasks.TestCase
