"""Which fault tests a run takes, and on which lab."""

import ast
from pathlib import Path

import pytest

from lab.settings import REPOSITORY
from tests import lanes
from tests.faults.selection import Area, Selection, Shard, areas, git, proof, seconds, shards, touched

FOLDER = REPOSITORY / "tests/faults"
MODULES = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("test_*.py")}
TOOK = {"a": 50.0, "b": 40.0, "c": 30.0, "d": 20.0}
ALONE = {"a::quick": 5.0, "c::quick": 6.0}
TABLE = {
    "one": Area(("roles/one/", "playbooks/one.yml"), ("a", "b"), "a::quick"),
    "two": Area(("roles/two/",), ("c",), "c::quick"),
}


def test_the_shards_are_whole_and_about_as_long() -> None:
    parts = shards(TOOK, TOOK, 2)
    assert parts == [{"a", "d"}, {"b", "c"}]
    assert shards(reversed(TOOK), TOOK, 2) == parts


def test_every_module_is_in_one_shard() -> None:
    parts = shards(MODULES, seconds(), 4)
    assert sorted(name for part in parts for name in part) == sorted(MODULES)
    assert all(parts)


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"SHARD is '{text}'; it must be K/N"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("paths", "modules"),
    [
        ([], []),
        (["README.md"], []),
        (["roles/two/tasks/main.yml", "playbooks/one.yml"], ["c", "a", "b"]),
        (["roles/one/README.md", "roles/one/tasks/main.yml"], ["a", "b"]),
        (["tests/faults/b"], ["b"]),
    ],
)
def test_the_areas_of_paths(paths: list[str], modules: list[str]) -> None:
    assert touched(TABLE, paths) == modules


@pytest.mark.parametrize(
    ("changed", "limit", "chosen", "left_out"),
    [
        ([], 1000, {"d"}, ()),
        (["a", "c"], 1000, {"a", "c", "d"}, ()),
        (["a", "c"], 60, {"c", "d"}, ("a",)),  # what still fits is taken
        (["c"], 54, {"d"}, ("c",)),  # the smoke test of the other area takes its time, too
        (["d", "a"], 0, {"d"}, ("a",)),  # the shard always runs
    ],
)
def test_a_proof_takes_what_the_time_suffices_for(
    changed: list[str], limit: float, chosen: set[str], left_out: tuple[str, ...]
) -> None:
    found = proof(TABLE, frozenset({"d"}), changed, TOOK | ALONE, limit)
    assert found == Selection(frozenset(chosen), frozenset({"a::quick", "c::quick"}), left_out)
    assert found.takes("c::quick")
    assert found.takes("d::anything")


def test_the_table_of_areas_names_what_is_there_and_all_of_it() -> None:
    table = areas()
    assert {module for area in table.values() for module in area.modules} == MODULES
    for area in table.values():
        assert [path for path in area.paths if not (REPOSITORY / path).exists()] == []
        module, _, name = area.smoke.partition("::")
        assert module in area.modules
        assert name.partition("[")[0] in functions(FOLDER / module)


# What no fault test is about: it only looks, judges before anything runs, or is seen whole by the other tests.
ELSEWHERE = (
    "action_plugins/airflow_dag_run.py",
    "action_plugins/preflight_",
    "callback_plugins/",
    "filter_plugins/",
    "inventory_plugins/",
    "library/airflow_c",
    "library/airflow_d",
    "library/airflow_ownership.py",
    "library/airflow_pools.py",
    "library/airflow_ui_users.py",
    "library/preflight_",
    "module_utils/__init__.py",
    "module_utils/airflow_inside/",
    "module_utils/airflow_watchdog",
    "module_utils/ownership.py",
    "playbooks/check.yml",
    "playbooks/clear_tasks.yml",
    "playbooks/drift.yml",
    "playbooks/fix_ownership.yml",
    "playbooks/preflight",
    "playbooks/status.yml",
    "playbooks/trigger_dag.yml",
    "roles/airflow_ui/",
    "roles/clear_tasks/",
    "roles/fix_ownership/",
    "roles/preflight/",
    "roles/trigger_dag/",
    "src/airflow_ops/",
)
FOLDERS = (
    "action_plugins",
    "callback_plugins",
    "filter_plugins",
    "inventory_plugins",
    "library",
    "module_utils",
    "playbooks",
    "roles",
    "src",
)


def test_each_file_of_the_product_is_in_an_area_or_named_here() -> None:
    areas_of = tuple(path for area in areas().values() for path in area.paths)
    files = [file for file in git("ls-files", *FOLDERS, "tests/faults/**/*.py") if not file.endswith("README.md")]
    helpers = ("tests/faults/conftest.py", "tests/faults/selection.py")
    modules = tuple(f"tests/faults/{module}" for module in MODULES)
    assert [file for file in files if not file.startswith((*areas_of, *ELSEWHERE, *helpers, *modules))] == []


def functions(module: Path) -> set[str]:
    """Return the names of the functions of a module."""
    return {node.name for node in ast.parse(module.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}


def test_each_lane_has_a_lab_of_its_own() -> None:
    shell = {"LAB_NAME": "mine", "LAB_NETWORK": "10.90.4.0/24"}
    assert lanes.lab_of("", shell) == lanes.lab_of("gw0", shell) == {}
    beside = lanes.lab_of("gw1", shell)
    assert (beside["LAB_NAME"], beside["LAB_NETWORK"]) == ("mine1", "10.90.5.0/24")
    assert lanes.lab_of("gw1", {})["LAB_NAME"] == "lab1"
