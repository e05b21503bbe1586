"""Which folders beside a tree come with it, from a folder and from a repository."""

from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release import judge, neighbours, tree
from airflow_ops.dag_release import source as module
from airflow_ops.dag_release.checks import findings, link_findings
from airflow_ops.dag_release.plan import ReleaseError, Source, Target
from airflow_ops.dag_release.source import resolved
from tests.unit.dag_release.host import write
from tests.unit.dag_release.test_source import git

FILES = {
    "dags/a.py": "1",
    "plugins/x.py": "2",
    "include/q.sql": "3",
    "include/.dagreleaseignore": "*.tmp",
    "other/y": "4",
}


@pytest.fixture(params=["folder", "repository"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Return a tree with folders beside it as the one or the other kind of source."""
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    root = write(tmp_path / "repo", FILES)
    if request.param == "folder":
        return Source(root / "dags")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    return Source(Path("unused"), repo=str(root), subfolder="dags")


def options(source: Source, **more: Any) -> Source:
    return Source(**{**{name: getattr(source, name) for name in ("folder", "repo", "subfolder")}, **more})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [".neighbours/plugins/x.py", "a.py"]),
        ({"plugins": ""}, ["a.py"]),
        ({"plugins": "other"}, [".neighbours/plugins/y", "a.py"]),
        ({"neighbours": ["include"], "plugins": ""}, [".neighbours/include/q.sql", "a.py"]),
    ],
    ids=["plugins by default", "none", "plugins of another name", "declared"],
)
def test_what_comes_with_the_tree(base: Source, more: dict[str, Any], expected: list[str]) -> None:
    with resolved(options(base, **more)) as (source, _):
        files = tree.origins(source)
        assert sorted(files) == expected
        assert all(path.is_file() for path in files.values())
        assert findings(files, source).all == []
        assert link_findings(files, tree.links(files), source) == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"neighbours": ["nowhere"]}, "nowhere is no folder beside the DAGs"),
        ({"plugins": "nowhere"}, "nowhere is no folder beside the DAGs"),
        ({"plugins": "../other"}, r"may not hold \.\."),
        ({"neighbours": ["../other"]}, "is no folder that may lie beside"),
        ({"neighbours": ["venv"]}, "is no folder that may lie beside"),
        ({"neighbours": [".ssh"]}, "is no folder that may lie beside"),
    ],
)
def test_what_cannot_come_with_it_is_refused(base: Source, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ReleaseError, match=why), resolved(options(base, **more)):
        pass


def test_beside_a_whole_repository_lies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    root = write(tmp_path / "plugins/repo", {"a.py": "1"})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    with resolved(Source(Path(), repo=str(root))) as (source, _):
        assert source.beside == {}


def test_uncommitted_changes_of_a_neighbour_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "repo", FILES)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    write(root, {"plugins/x.py": "edited", "other/y": "edited"})
    with pytest.raises(ReleaseError, match=r"1 uncommitted changes \(plugins/x.py\)"), resolved(Source(root / "dags")):
        pass


def test_a_link_stays_in_its_neighbour(tmp_path: Path) -> None:
    root = write(tmp_path, FILES)
    (root / "plugins/in").symlink_to("x.py")
    (root / "plugins/out").symlink_to("../dags/a.py")
    with resolved(Source(root / "dags")) as (source, _):
        files = tree.origins(source)
        found = link_findings(files, tree.links(files), source)
    assert list(found) == [".neighbours/plugins/out"]


def test_a_plugin_is_loaded_by_airflow_and_other_neighbours_are_not(tmp_path: Path) -> None:
    root = write(tmp_path, {**FILES, "plugins/bad.py": "def f(:", "include/old.py": "print 'airflow dag'"})
    with resolved(Source(root / "dags", neighbours=["include"])) as (source, _):
        found = findings(tree.origins(source), source)
    assert list(found.wrong) == [".neighbours/plugins/bad.py"]
    assert [text.split(":")[0] for text in found.warnings] == [".neighbours/include/old.py"]


def test_what_airflow_ignores_among_the_plugins_is_said_there(tmp_path: Path) -> None:
    plugins = {".airflowignore": "vendor", "vendor/old.py": "print 'x'", "lib/m.py": "", "used.py": "def f(:"}
    root = write(tmp_path, {**FILES, **{f"plugins/{name}": text for name, text in plugins.items()}})
    (root / "plugins/op").mkdir()
    (root / "plugins/op/lib").symlink_to("../lib")
    (root / "plugins/op/vendor").symlink_to("../vendor")
    with resolved(Source(root / "dags")) as (source, _):
        files = tree.origins(source)
        found, astray = findings(files, source), link_findings(files, tree.links(files), source)
    assert list(found.wrong) == [".neighbours/plugins/used.py"]
    assert [text.split(":")[0] for text in found.warnings] == [".neighbours/plugins/vendor/old.py"]
    assert list(astray) == [".neighbours/plugins/op/lib"]


def test_a_link_to_a_neighbour_that_comes_along(tmp_path: Path) -> None:
    root = write(tmp_path, FILES)
    (root / "dags/sql").symlink_to("../include")
    for names, wrong in ((["include"], []), ([], ["sql"])):
        with resolved(Source(root / "dags", neighbours=names)) as (source, _):
            files = tree.origins(source)
            assert list(link_findings(files, tree.links(files), source)) == wrong


def test_single_files_of_a_neighbour(tmp_path: Path) -> None:
    root = write(tmp_path, FILES)
    order = Source(root / "dags", plugins="other", files=["a.py", "../other/y"], remove=["../include/q.sql"])
    with resolved(Source(**{**order.__dict__, "neighbours": ["include"]})) as (source, _):
        assert source.files == ["a.py", ".neighbours/plugins/y"]
        assert source.remove == [".neighbours/include/q.sql"]
        assert source.path_of(".neighbours/plugins/y").read_text() == "4"
        assert neighbours.brought(source) == ["plugins"]


@pytest.mark.parametrize(("read", "refused"), [("/home/a/plugins", False), ("/opt/plugins", True)])
def test_plugins_that_airflow_would_not_read_are_refused(tmp_path: Path, read: str, refused: bool) -> None:
    root = write(tmp_path, FILES)
    target = Target("/home/a/dags", "airflow", "hadoop", [], [], None, plugins=read)  # type: ignore[arg-type]
    with resolved(Source(root / "dags")) as (source, _):
        assert bool(neighbours.unread_plugins(source, target)) is refused
    with resolved(Source(root / "dags", plugins="")) as (source, _):
        assert neighbours.unread_plugins(source, target) == []


@pytest.mark.parametrize(("unmanaged", "expected"), [("carry", ["own", "x"]), ("drop", ["x"])])
def test_the_plugins_that_a_host_will_have(unmanaged: str, expected: list[str]) -> None:
    seen = {"plugins": [["own", "file", "1"], ["x", "file", "old"], ["gone", "file", "1"]], "unmanaged": ["own", "x"]}
    after = judge.plugins_after(seen, [["x", "file", "new"]], unmanaged)
    assert [path for path, _, _ in after] == expected
    assert ["x", "file", "new"] in after
