"""Which paths above the tree are found in a file, and what is said of them."""

from pathlib import Path

import pytest

from airflow_ops.dag_release import judge, reach
from airflow_ops.dag_release.reach import Reach

HERE = "import os\nfrom pathlib import Path\nhere = os.path.dirname(__file__)\n"
WAYS = [
    ("join", "os.path.join(here, '..', 'include')", ["../include"]),
    ("join of one text", "os.path.join(here, '../include/q.sql')", ["../include/q.sql"]),
    ("abspath", "os.path.abspath(os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'sql'))", ["../sql"]),
    ("twice dirname", "os.path.dirname(here) + '/config/a.yml'", ["../config/a.yml"]),
    ("pathlib", "Path(__file__).resolve().parent.parent / 'include' / 'q.sql'", ["../include/q.sql"]),
    ("parents", "Path(__file__).parents[1].joinpath('include', name)", ["../include"]),
    ("a name", "BASE = Path(__file__).parent.parent\nf(BASE / 'include')\ng(BASE)", ["../include"]),
    ("a name with a type", "BASE: Path = Path(__file__).parent.parent\nf(BASE / 'include')", ["../include"]),
    ("a name in a condition", "if base := Path(__file__).parent.parent:\n    f(base / 'include')", ["../include"]),
    ("the folder itself", "import sys\nsys.path.append(os.path.join(here, '..'))", [".."]),
    ("its name in os", "os.path.join(here, os.pardir, 'include')", ["../include"]),
    ("an f-string", "f'{here}/../include/{name}.sql'", ["../include"]),
    ("a percent sign", "'%s/../include' % os.path.dirname(__file__)", ["../include"]),
    ("percent signs", "'%s/../include/%s.sql' % (here, name)", ["../include"]),
    ("format", "'{}/../include/{}.sql'.format(here, name)", ["../include"]),
    ("format by number", "'{1}/../include'.format(name, here)", ["../include"]),
    ("format by name", "'{base}/../include'.format(base=here)", ["../include"]),
    ("a percent sign of something else", "'%s/../include' % name", []),
    ("percent signs and no path", "'%d of %s' % (1, here)", []),
    ("the option", "Path(conf.get('core', 'dags_folder')) / '..' / 'include'", ["../include"]),
    ("the setting", "os.path.join(settings.DAGS_FOLDER, '../include')", ["../include"]),
    ("a text", "DAG('x', template_searchpath=['../include'])", ["../include"]),
    ("a command", "BashOperator(bash_command='cat ../include/a.txt | sort', cwd=here)", ["../include/a.txt"]),
    ("far above", "Path(__file__).parent / '../../etc/x'", ["../../etc/x"]),
    ("inside", "os.path.join(here, 'sql', '../q.sql')", []),
    ("something else", "os.path.join(os.environ['AIRFLOW_HOME'], 'include')", []),
    ("no path", "' .. '", []),
]


@pytest.mark.parametrize(("what", "line", "expected"), WAYS, ids=[what for what, _, _ in WAYS])
def test_paths_above_the_tree(what: str, line: str, expected: list[str]) -> None:
    assert [found.path for found in reach.in_file("a.py", f"{HERE}{line}\n".encode())] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("os.path.join(here, '..', 'include')", []),  # of the tree
        ("os.path.join(here, '..', '..', 'include')", ["../include"]),
        ("Path(__file__).parents[2] / 'include'", ["../include"]),
        ("'../../include/q.sql'", ["../include/q.sql"]),
    ],
)
def test_a_file_in_a_folder_reaches_from_there(line: str, expected: list[str]) -> None:
    assert [found.path for found in reach.in_file("SALES/a.py", f"{HERE}{line}\n".encode())] == expected


def test_only_dag_files_that_compile_are_read(tmp_path: Path) -> None:
    files = {
        "a.py": f"{HERE}os.path.dirname(here)",
        "b.py": "__file__ .. (",
        "c.sql": "../x",
        ".neighbours/p/a.py": "'../x'",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert reach.above({name: tmp_path / name for name in files}) == [Reach("a.py", 4, "..")]


def test_a_file_that_nests_too_deep_names_nothing() -> None:
    assert reach.in_file("a.py", f"{HERE}x = {' + '.join(['here'] * 5000)}".encode()) == []


@pytest.mark.parametrize(
    ("path", "brought", "expected"),
    [
        ("../include/q.sql", ["include"], "include comes with the release"),
        ("../include/q.sql", [], "AIRFLOW_HOME/include lies on every host and is not part"),
        ("../sql", [], "AIRFLOW_HOME/sql is missing on dn02p"),
        ("..", [], "AIRFLOW_HOME itself"),
        ("../../etc", [], "outside of AIRFLOW_HOME, which does not work"),
    ],
)
def test_what_is_said_of_them(path: str, brought: list[str], expected: str) -> None:
    seen = {"dn01p": {"beside": ["include", "sql"]}, "dn02p": {"beside": ["include"]}}
    (note,) = judge.reach_notes([Reach("a.py", 4, path)], seen, brought)
    assert note.startswith(f"Above the tree, {expected}")
    assert note.endswith(f": a.py:4 ({path}).")


def test_files_with_one_fate_are_one_sentence() -> None:
    reached = [Reach("a.py", 4, "../x"), Reach("b.py", 5, "../x/y"), Reach("c.py", 6, "..")]
    assert len(judge.reach_notes(reached, {"dn01p": {"beside": ["x"]}}, [])) == 2
