"""What of the program inside Airflow needs no Airflow: which modules of a tree a file imports, and which it gets."""

import os
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_ops.dag_release.inside import PLUGINS, Noted, asked, load, not_compiled, note_withheld, reachable
from tests.unit.dag_release.host import write


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


class Bag:
    """Runs files as Airflow's bag does, and keeps what they have called X."""

    def __init__(self) -> None:
        self.import_errors: dict[str, str] = {}
        self.loaded: dict[str, Any] = {}

    def process_file(self, path: str, only_if_updated: bool, safe_mode: bool) -> None:
        try:
            self.loaded[Path(path).stem] = runpy.run_path(path)["X"]
        except Exception as error:
            self.import_errors[path] = repr(error)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Bag]]:
    """Yield what loads the files of a tree whose names begin with d, one after the other."""

    def loads(files: dict[str, str]) -> Bag:
        tree, bag = write(tmp_path / "tree", files), Bag()
        monkeypatch.setattr(sys, "path", [str(tree), str(tree / PLUGINS), *sys.path])
        paths = sorted(str(path) for path in tree.rglob("d*.py"))
        assert load(bag, paths, {"tree": str(tree), "at": str(tmp_path / "at"), "skip": []}) == {}
        return bag

    class conf:
        getboolean = getint = staticmethod(lambda *option: 60)

    stub: Any = ModuleType("airflow.configuration")
    stub.conf = conf
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.configuration", stub)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = {*sys.modules}
    yield loads
    for name in sys.modules.keys() - before:
        del sys.modules[name]


OWN_FOLDER = "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n"


@pytest.mark.parametrize("packed", ["", "common/"])
def test_files_with_helpers_of_one_name_get_each_their_own(loads: Callable[[dict[str, str]], Bag], packed: str) -> None:
    name = f"{packed}helper".replace("/", ".")
    files = {f"{one}/{packed}helper.py": f"X = '{one}'" for one in ("p1", "p2")}
    files |= {f"p{number}/d{number}.py": f"{OWN_FOLDER}from {name} import X" for number in (1, 2)}
    bag = loads({**files, f"{packed}helper.py": "X = 'root'", "d0.py": f"from {name} import X"})
    assert bag.import_errors == {}
    assert bag.loaded == {"d0": "root", "d1": "p1", "d2": "p2"}
    assert not [path for path in sys.path if path.endswith(("p1", "p2"))]


def test_where_a_helper_looks_for_modules_counts_for_each_file(loads: Callable[[dict[str, str]], Bag]) -> None:
    begin = "import sys\nsys.path.append(sys.path[0] + '/lib')"
    uses = "import begin\nfrom common import X"
    assert loads({"begin.py": begin, "lib/common.py": "X = 1", "d1.py": uses, "d2.py": uses}).import_errors == {}


def test_what_fails_beside_others_is_loaded_by_itself(loads: Callable[[dict[str, str]], Bag]) -> None:
    once = "names = set()\ndef add(name):\n    assert not names\n    names.add(name)"
    uses = "import registry\nregistry.add(__file__)\nX = 1"
    bag = loads({"registry.py": once, "d1.py": uses, "d2.py": uses, "d3.py": f"{uses}\nnone"})
    assert bag.loaded == {"d1": 1, "d2": 1}
    (error,) = bag.import_errors.values()
    assert error.startswith("NameError")


def test_modules_are_shared_and_those_of_plugins_always(loads: Callable[[dict[str, str]], Bag]) -> None:
    files = {"helper.py": "X = object()", f"{PLUGINS}/plugin.py": "X = object()"}
    files |= {f"d{number}.py": "from helper import X" for number in (1, 2)}
    files |= {f"d{number}.py": f"{OWN_FOLDER}from plugin import X" for number in (3, 4)}
    bag = loads(files)
    assert bag.loaded["d1"] is bag.loaded["d2"]
    assert bag.loaded["d3"] is bag.loaded["d4"]


def test_what_asks_for_a_secret_that_is_withheld_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class ConfigError(Exception):
        pass

    class Parser:
        def get(self, section: str, key: str, _extra_stacklevel: int) -> str:
            os.getenv(f"AIRFLOW__{section}__{key}".upper())
            raise ConfigError

    stubs: dict[str, Any] = {name: ModuleType(f"airflow.{name}") for name in ("configuration", "exceptions")}
    stubs["configuration"].AirflowConfigParser, stubs["exceptions"].AirflowConfigException = Parser, ConfigError
    for name, module in {
        "airflow": ModuleType("airflow"),
        **{f"airflow.{name}": stubs[name] for name in stubs},
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(type(os.environ), "__getitem__", type(os.environ).__getitem__)
    noted, tree = Noted(str(tmp_path)), {
        "env.py": "import os; os.environ.get('SFTP_PASSWORD')",
        "other.py": "import os; os.environ.get('OTHER')",
        "cfg.py": "conf.get('team', 'api_token')",
        "cmd.py": "conf.get('team', 'api_key')",
        "more.py": "conf.get('team', 'more')",
    }  # fmt: skip
    note_withheld(noted, ["SFTP_PASSWORD", "AIRFLOW__TEAM__API_TOKEN", "AIRFLOW__TEAM__API_KEY_CMD"])
    os.getenv("SFTP_PASSWORD")  # not by a file of the tree
    for path in write(tmp_path, tree).iterdir():
        with suppress(ConfigError):
            runpy.run_path(str(path), {"conf": Parser()})
    assert noted.reads == {
        "env.py": {"the variable SFTP_PASSWORD"},
        "cfg.py": {"the option api_token of [team]"},
        "cmd.py": {"the option api_key of [team]"},
    }
