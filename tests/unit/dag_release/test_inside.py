"""What of the program inside Airflow needs no Airflow: which modules of a tree a file imports."""

from collections.abc import Callable

import pytest

from airflow_ops.dag_release.inside import asked, not_compiled, reachable


def sources(**texts: str) -> dict[str, Callable[[], bytes]]:
    return {f"{name.replace('__', '/')}.py": lambda text=text: text.encode() for name, text in texts.items()}  # type: ignore[misc]


TREE = sources(
    dag="import util.rules",
    util__rules="def f():\n    from . import deep\n",
    util__deep="import none_of_the_tree",
    util__other="",
    alone="",
    beside__dag="import sys; sys.path.append('.')\nimport mate",
    beside__strict="import mate",
    beside__mate="from ..top import VALUE",
    top="",
    old="print 'python 2'",
    later="def f():\n    import old\n",
)


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("dag", {"dag", "util/rules", "util/deep"}),
        ("alone", {"alone"}),
        ("beside/dag", {"beside/dag", "beside/mate", "top"}),
        ("beside/strict", {"beside/strict"}),
        ("later", {"later", "old"}),
        ("old", {"old"}),
        ("none", set()),
    ],
)
def test_reachable(start: str, found: set[str]) -> None:
    assert reachable([f"{start}.py"], TREE) == {f"{name}.py" for name in found}


def test_a_package_is_run_with_its_modules() -> None:
    packages = {name: (lambda: b"") for name in ("p/__init__.py", "p/q/__init__.py", "p/q/m.py", "p/__main__.py")}
    tree = {**packages, "dag.py": lambda: b"from p.q import m"}
    assert reachable(["dag.py"], tree) == {"dag.py", "p/__init__.py", "p/q/__init__.py", "p/q/m.py"}


def test_only_modules_that_a_dag_imports_must_compile() -> None:
    assert not_compiled(TREE, ["dag.py"]) == {}
    (only,) = not_compiled(TREE, ["later.py"]).items()
    assert only[0] == "old.py"
    assert only[1].startswith('File "old.py", line 1\nSyntaxError: Missing parentheses')


def test_a_read_counts_for_those_who_import_the_module_too() -> None:
    reads = {"util/rules.py": {"Variable v"}, "z/one.zip/m.py": {"Variable z"}}
    assert asked("dag.py", reads, TREE) == ["Variable v"]
    assert asked("alone.py", reads, TREE) == []
    assert asked("z/one.zip/dag.py", reads, TREE) == ["Variable z"]
    assert asked("z/other.zip/dag.py", reads, TREE) == []
