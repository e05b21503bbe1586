"""What a host does with a release: look, stage, switch, go back, prune; on this machine's own file system."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_ops.dag_release.agent import behind, live, look, stage
from airflow_ops.dag_release.agent.place import AgentError, Manifest, Place, release_ids
from airflow_ops.dag_release.agent.tree import Entry, digest, scan
from tests.unit.dag_release.host import OWN_GROUP, content, delivered, pruned, staged, write

OLD = "20260101T000000Z-000000000001"
NEW = "20260102T000000Z-000000000002"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "dags", OWN_GROUP)


def test_a_first_release_on_a_host_that_has_nothing(place: Place) -> None:
    delivered(place, NEW, {"a.py": "1"})
    seen = look.look(place, files=True)
    assert (seen["live"], seen["committed"], seen["edited"], seen["unmanaged"]) == (NEW, True, [], [])
    assert [entry[0] for entry in seen["files"]] == ["a.py"]
    assert place.dags.readlink() == place.release(NEW)


def test_an_empty_dags_folder_leaves_nothing_behind(place: Place) -> None:
    write(place.dags, {"__pycache__/x.pyc": ""})
    delivered(place, NEW, {"a.py": "1"})
    assert sorted(path.name for path in place.releases.iterdir()) == [NEW, f"{NEW}.json"]


def test_a_plain_folder_becomes_a_release_and_its_files_are_carried(place: Place) -> None:
    write(place.dags, {"a.py": "by hand", "sub/own.py": "own"})
    report = delivered(place, NEW, {"a.py": "1"})
    adopted, new = release_ids(place)
    assert (adopted < new, report["carried"], report["kept"]) == (True, ["sub/own.py"], [])
    assert content(place.release(adopted)) == {"a.py": "by hand", "sub/own.py": "own"}
    assert content(place.dags) == {"a.py": "1", "sub/own.py": "own"}
    seen = look.look(place)
    assert (seen["unmanaged"], seen["carried"], seen["edited"]) == (["sub/own.py"], ["sub/own.py"], [])


def test_after_a_way_back_to_it_an_adopted_folder_is_what_it_was_the_first_time(place: Place) -> None:
    write(place.dags, {"a.py": "by hand", "own.py": "own"})
    delivered(place, OLD, {"a.py": "1"})
    adopted = release_ids(place)[0]
    live.activate(place, adopted)
    assert (look.look(place)["edited"], look.look(place)["by_hand"]) == ([], True)
    assert stage.keep_all(place, OLD) == {"kept": []}
    report = delivered(place, NEW, {"a.py": "2"})
    assert (report["carried"], report["kept"]) == (["own.py"], [])
    assert content(place.dags) == {"a.py": "2", "own.py": "own"}


def test_carried_files_are_outside_the_digest_and_travel_on(place: Place) -> None:
    write(place.dags, {"own.py": "own"})
    delivered(place, OLD, {"a.py": "1"})
    assert look.look(place)["digest"] == digest([Entry("a.py", "file", scan_hash(place, "a.py"))])
    delivered(place, NEW, {"a.py": "2"})
    assert content(place.dags) == {"a.py": "2", "own.py": "own"}


def scan_hash(place: Place, name: str) -> str:
    (found,) = [entry.content for entry in scan(place.dags.resolve()) if entry.path == name]
    return found


def test_files_that_are_dropped_are_kept_aside(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    write(place.dags, {"new.py": "by hand"})
    report = delivered(place, NEW, {"a.py": "1"}, unmanaged="drop")
    (kept,) = report["kept"]
    assert (report["carried"], Path(kept).read_text(), content(place.dags)) == ([], "by hand", {"a.py": "1"})


def test_an_edit_in_place_is_found_and_kept_aside_once(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1", "b.py": "1", "c.py": "1"})
    write(place.dags, {"a.py": "edited", "b.py": "same as the new one"})
    (place.dags / "c.py").unlink()
    seen = look.look(place)
    assert (seen["edited"], seen["missing"]) == (["a.py", "b.py"], ["c.py"])
    new = {"a.py": "2", "b.py": "same as the new one", "c.py": "1"}
    first, second = staged(place, NEW, new), staged(place, NEW, new)
    assert first == second
    (kept,) = first["kept"]
    assert Path(kept).read_text() == "edited"
    assert Path(kept).parent == place.kept(OLD)


def test_an_older_release_shares_no_inode_with_the_live_one(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    delivered(place, NEW, {"a.py": "1"})
    write(place.dags, {"a.py": "edited"})
    assert content(place.release(OLD)) == {"a.py": "1"}


@pytest.mark.parametrize("before", ["nothing", "folder", "empty folder", "release"])
def test_what_is_not_committed_is_put_back(place: Place, before: str) -> None:
    if before == "release":
        delivered(place, OLD, {"a.py": "old"})
    elif before != "nothing":
        write(place.dags, {"a.py": "old"} if before == "folder" else {"__pycache__/x": ""})
    was = content(place.dags) if place.dags.is_dir() else None
    staged(place, NEW, {"a.py": "new"})
    report, undo = live.activate(place, NEW)
    assert (report["atomic"], content(place.dags)) == (True, {"a.py": "new"})
    undo()
    assert (content(place.dags) if place.dags.is_dir() else None) == was
    assert place.is_folder() is ("folder" in before)
    assert release_ids(place) == ([OLD] if before == "release" else [])
    stage.clean(place)
    assert pruned(place) == [NEW]
    left = {path.name for path in place.releases.iterdir()} - {place.ended.name}
    assert left == ({OLD, f"{OLD}.json"} if before == "release" else set())


@pytest.mark.parametrize("how", ["back", "killed"])
def test_a_release_of_a_failed_switch_goes_as_an_old_one_does(place: Place, how: str) -> None:
    delivered(place, OLD, {"a.py": "old"})
    staged(place, NEW, {"a.py": "new"})
    _, undo = live.activate(place, NEW)
    if how == "back":
        undo()
    later = "20260203T000000Z-000000000003"
    delivered(place, later, {"a.py": "later"})
    assert place.release(NEW).is_dir(), "a process may stand in it"
    assert live.outdated(place, keep=5, minutes=60)["outdated"] == []
    assert pruned(place, keep=5) == [NEW]
    assert release_ids(place, unfinished=True) == [OLD, later]


def test_a_release_that_was_never_live_goes_with_the_next_run(place: Place) -> None:
    staged(place, NEW, {"a.py": "new"})
    stage.clean(place)
    assert not [*place.releases.iterdir()]


@pytest.mark.parametrize("before", ["folder", "empty folder"])
def test_without_an_exchange_of_names_it_works_and_says_what_it_costs(
    place: Place, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "exchange", lambda one, other: False)
    write(place.dags, {"a.py": "old"} if before == "folder" else {"__pycache__/x": ""})
    was = content(place.dags)
    staged(place, NEW, {"a.py": "new"})
    report, undo = live.activate(place, NEW)
    assert (report["atomic"], content(place.dags)) == (False, {"a.py": "new"})
    undo()
    assert (content(place.dags), place.is_folder()) == (was, True)


def test_an_adoption_that_was_killed_before_its_switch_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: Path) -> bool:
        raise KeyboardInterrupt

    write(place.dags, {"own.py": "own"})
    staged(place, OLD, {"a.py": "1"})
    with monkeypatch.context() as dying:
        dying.setattr(live, "exchange", killed)
        with pytest.raises(KeyboardInterrupt):
            live.activate(place, OLD)
    assert content(place.dags) == {"own.py": "own"}
    delivered(place, NEW, {"a.py": "1"})
    assert content(place.dags) == {"a.py": "1", "own.py": "own"}
    (adopted, _) = release_ids(place)
    assert content(place.release(adopted)) == {"own.py": "own"}


def test_a_release_that_was_changed_is_found_before_it_becomes_live_again(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1", "b.py": "1"})
    delivered(place, NEW, {"a.py": "2"})
    assert look.prove(place, OLD)["wrong"] == []
    write(place.release(OLD), {"a.py": "x"})
    (place.release(OLD) / "b.py").unlink()
    assert look.prove(place, OLD)["wrong"] == ["a.py", "b.py"]
    assert look.prove(place, "20250101T000000Z-000000000000") == {
        "digest": None,
        "wrong": [],
        "plugins": [],
    }


def test_a_link_to_elsewhere_is_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.dags.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AgentError, match="elsewhere and not to a release"):
        look.look(place)


def test_a_host_can_be_levelled_to_a_release_that_it_had_before(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    delivered(place, NEW, {"a.py": "2"})
    delivered(place, OLD, {"a.py": "1"})
    assert (place.live_id(), content(place.dags), release_ids(place)) == (OLD, {"a.py": "1"}, [OLD, NEW])
    assert look.prove(place, OLD)["wrong"] == []


CONTENTS = st.dictionaries(st.sampled_from(["a.py", "p/b.py", "p/q/c.py", "d.sh"]), st.sampled_from("123"), min_size=1)


@settings(max_examples=50, deadline=None)
@given(have=CONTENTS, want=CONTENTS)
def test_what_the_live_tree_has_need_not_travel(
    tmp_path_factory: pytest.TempPathFactory, have: dict[str, str], want: dict[str, str]
) -> None:
    root = tmp_path_factory.mktemp("host")
    place, wanted = Place(root / "dags", OWN_GROUP), scan(write(root / "wanted", want))
    delivered(place, OLD, have)
    files = [[entry.path, entry.kind, entry.content] for entry in wanted]
    staged, lacks = Path((begun := stage.begin(place, NEW, 0, 0, files))["staging"]), begun["lacks"]
    assert lacks == [entry.path for entry in wanted if want[entry.path] not in have.values()]
    write(staged, {path: want[path] for path in lacks})
    assert stage.verify(staged) == wanted
    for path in have.keys() & want.keys():
        before, now = (place.dags / path).stat(), (staged / path).stat()
        assert now.st_ino != before.st_ino, "an edit in place would reach the older release"
        if list(have.values()).count(want[path]) == 1 and have[path] == want[path]:
            assert now.st_mtime_ns == before.st_mtime_ns


def test_a_tree_begins_with_its_links_and_modes(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    (entry,) = scan(place.release(OLD))
    files = [["l/a.py", "link", "../a.py"], ["p/run", "program", entry.content], ["q/new.py", "file", "0" * 64]]
    begun = stage.begin(place, NEW, 0, 0, files)
    staged = Path(begun["staging"])
    assert begun["lacks"] == ["q/new.py"]
    assert (staged / "l/a.py").readlink() == Path("../a.py")
    assert {stat.S_IMODE((staged / name).stat().st_mode) for name in ("l", "p", "q", "p/run")} == {0o750}


def test_a_tree_that_was_changed_after_its_proof_is_not_sealed(place: Place) -> None:
    stage.begin(place, NEW, 0, 0, [])
    write(place.staging(NEW), {"a.py": "1"})
    verified = {entry.path: entry for entry in stage.verify(place.staging(NEW))}
    write(place.staging(NEW), {"a.py": "2"})
    with pytest.raises(AgentError, match="was changed after it was verified"):
        stage.seal(place, NEW, {"digest": digest(verified.values()), "carried": []}, verified)


@pytest.mark.parametrize(
    ("size", "count", "sentence"),
    [(1 << 60, 0, "MiB free, the release needs"), (0, 1 << 60, "inodes free and the release needs")],
)
def test_room_is_looked_at_before_anything_travels(place: Place, size: int, count: int, sentence: str) -> None:
    if count and not os.statvfs(place.dags.parent).f_files:
        pytest.skip("this file system does not count inodes")
    with pytest.raises(AgentError, match=sentence):
        stage.begin(place, NEW, size, count, [])


@pytest.mark.parametrize(
    ("oldest_first", "live_one", "keep", "removed"),
    [
        pytest.param("12", "2", 2, "", id="within the limit"),
        pytest.param("123", "3", 1, "1", id="the one before stays"),
        pytest.param("1234", "1", 2, "23", id="a live release that is the oldest stays"),
        pytest.param("1234", "4", 3, "1", id="the newest stay"),
        pytest.param("1234", "3", 1, "1", id="after a rollback both ways stay open"),
        pytest.param("12345", "5", 2, "123", id="all but two"),
        pytest.param("12389", "9", 2, "123", id="the young ones stay by number"),
        pytest.param("1789", "9", 2, "1", id="the young ones stay by age"),
        pytest.param("", None, 1, "", id="none"),
    ],
)
def test_prune(oldest_first: str, live_one: str | None, keep: int, removed: str) -> None:
    assert live.releases_to_remove(list(oldest_first), live_one, keep, young="789") == list(removed)


@given(st.lists(st.integers(0, 99), unique=True), st.integers(0, 99), st.integers(0, 9), st.sets(st.integers(0, 99)))
def test_prune_never_takes_the_live_release_the_one_before_or_a_young_one(
    numbers: list[int], at: int, keep: int, young: set[int]
) -> None:
    have = sorted(f"{number:02}" for number in numbers)
    live_one = have[at % len(have)] if have else None
    removed = live.releases_to_remove(have, live_one, keep, {f"{number:02}" for number in young})
    left = [name for name in have if name not in removed]
    assert live_one in left or live_one is None
    assert young.isdisjoint(map(int, removed))
    assert [name for name in have if live_one and name < live_one][-1:] == [
        name for name in left if live_one and name < live_one
    ][-1:]
    assert len(left) >= min(keep, len(have))


def test_prune_keeps_where_a_rollback_leads_also_when_the_live_tree_was_delivered_twice() -> None:
    have = [f"2026010{day}T000000Z-{tree * 12}" for day, tree in enumerate("abcc", start=1)]
    assert live.releases_to_remove(have, have[-1], keep=1, young=()) == [have[0]]


def test_pruning_leaves_adopted_folders_and_kept_files(place: Place) -> None:
    write(place.dags, {"own.py": "own"})
    delivered(place, OLD, {"a.py": "1"})
    write(place.dags, {"a.py": "edited"})
    names = [f"2026020{day}T000000Z-00000000000{day}" for day in range(1, 5)]
    for name in names:
        delivered(place, name, {"a.py": name})
    assert pruned(place) == [OLD, *names[:2]]
    assert place.kept(OLD).is_dir()
    assert not place.release(OLD).exists()
    assert live.adopted(place, release_ids(place)[0])


def test_a_release_that_was_edited_after_it_was_replaced_is_not_pruned(place: Place) -> None:
    names = [f"2026020{day}T000000Z-00000000000{day}" for day in range(1, 5)]
    for name in names:
        delivered(place, name, {"a.py": name})
    write(place.release(names[0]), {"a.py": "edited by somebody whose shell still stands here"})
    report = live.prune(place, live.outdated(place, keep=1, minutes=0)["outdated"])
    assert (report["removed"], report["edited"]) == ([names[1]], [names[0]])
    assert place.release(names[0]).is_dir()


def test_a_hand_made_file_whose_name_is_a_folder_of_the_release_is_kept_aside(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    write(place.dags, {"util.py": "by hand"})
    report = delivered(place, NEW, {"a.py": "1", "util.py/b.py": "2"})
    assert report["carried"] == []
    assert [Path(name).read_text() for name in report["kept"]] == ["by hand"]
    assert content(place.dags) == {"a.py": "1", "util.py/b.py": "2"}


def test_a_folder_with_a_link_that_would_lead_elsewhere_is_not_adopted(place: Place, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(place.dags, {"a.py": "1"})
    (place.dags / "conf").symlink_to("../data")
    with pytest.raises(AgentError, match="conf is a relative link out of the folder"):
        staged(place, OLD, {"a.py": "1"})
    (place.dags / "conf").unlink()
    (place.dags / "conf").symlink_to(tmp_path / "data")
    delivered(place, OLD, {"a.py": "1"})
    assert (place.dags / "conf").resolve() == tmp_path / "data"


def test_the_manifest_of_an_adoption_that_never_came_is_cleaned_away(place: Place) -> None:
    delivered(place, OLD, {"a.py": "1"})
    place.manifest(NEW).write_bytes(place.manifest(OLD).read_bytes())
    stage.clean(place)
    assert release_ids(place) == [OLD]


def test_a_manifest_is_what_was_written(place: Place) -> None:
    place.make_releases()
    manifest = Manifest({"id": NEW, "source": "한글"}, {"a\udcff": Entry("a\udcff", "file", "0", "1:2:3:4")})
    manifest.write(place, place.manifest(NEW))
    assert Manifest.read(place.manifest(NEW)) == manifest
    assert "한글" in place.manifest(NEW).read_text("utf-8", "surrogateescape")


def test_hosts_that_are_behind_are_remembered(place: Place) -> None:
    assert behind.record(place, {"a": {"why": "x"}, "b": {"why": "y"}}, []) == {
        "behind": {"a": {"why": "x"}, "b": {"why": "y"}}
    }
    behind.record(place, {}, ["a"])
    assert behind.read(place) == {"b": {"why": "y"}}
    assert json.loads((place.releases / "behind.json").read_text()) == {"b": {"why": "y"}}


def test_the_age_of_a_release_counts_from_when_it_ended(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    names = [f"2026020{day}T000000Z-00000000000{day}" for day in range(1, 6)]
    for name in names[:3]:
        delivered(place, name, {"a.py": name})
    now += 3600
    for name in names[3:]:
        delivered(place, name, {"a.py": name})
    assert live.outdated(place, keep=1, minutes=60)["outdated"] == names[:2]
    now += 3600
    assert live.outdated(place, keep=1, minutes=60)["outdated"] == names[:3]


def test_a_release_whose_end_nobody_wrote_down_counts_from_now(place: Place) -> None:
    for day in range(1, 5):
        delivered(place, f"2026020{day}T000000Z-00000000000{day}", {"a.py": str(day)})
    place.ended.unlink()
    assert live.outdated(place, keep=1, minutes=60)["outdated"] == []
    assert len(live.outdated(place, keep=1, minutes=0)["outdated"]) == 2
