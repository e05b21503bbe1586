"""What Airflow itself makes of a tree: what it loads must load, and a delivery is refused for what it makes worse."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster

READERS = ("mn02p", "dn01p", "dn02p", "dn03p")
HOME = "/usr/hmg/2.2.1.0-552/airflow"
DAG = """\
import os, sys, datetime
from airflow import DAG
from airflow.models import Variable
{line}
dag = DAG("{name}", start_date=datetime.datetime(2026, 1, 1), schedule=None)
"""
# Files of others beside the DAGs; no DAG file imports them.
OTHERS = {
    "SALES/tpl/body.json": '{"day": "{{ ds }}", "limit": {{ params.limit }}}\n',
    "SALES/tpl/rows.json": '{"id": 1}\n{"id": 2}\n',
    "SALES/spark/count_rows.py": "import sys\nprint 'rows', len(sys.argv)\n",
}
# What a DAG file asks of the database while it is loaded, and how the run tells that it cannot judge it.
ASKS = {
    "variable": (
        "Variable.get('shops', default_var={}, deserialize_json=True)['all']",
        "reads Variable shops, not judged",
    ),
    "connection": (
        "from airflow.hooks.base import BaseHook; BaseHook.get_connection('sales_db')",
        "reads Connection sales_db, not judged",
    ),
    "runs": ("from airflow.models import DagRun; DagRun.find(dag_id='x')[0]", "reads table dag_run, not judged"),
    "connections": (
        "from airflow.models import Connection; from airflow.settings import Session\n"
        "Session().query(Connection.conn_id).filter_by(conn_type='sales').one()",
        "reads table connection, not judged",
    ),
    "secret": ("os.environ['SALES_PASSWORD']", "reads the variable SALES_PASSWORD, not judged"),
}
TOLD = "it ends Airflow's process while it is loaded"
# What ends the process that loads it, and how that is told.
ENDS = {
    "exits": ("sys.exit(0)", f"line 4: SystemExit: 0: {TOLD}"),
    "ends": ("os._exit(0)", f"{TOLD} (exit code 0)"),
    "crashes": ("import ctypes; ctypes.string_at(0)", f"line 4: {TOLD} (Segmentation fault)"),
    "skips": (
        "class Skipped(BaseException): pass\nraise Skipped('not here')",
        f"line 5: pr_skips.Skipped: not here: {TOLD}",
    ),
    "exits_late": ("Variable.get('env', default_var='dev'); sys.exit(0)", f"line 4: SystemExit: 0: {TOLD}"),
    "misspelt": (
        "Variable.get('env', default_var='dev'); DAG('x', schedul=None)",
        "line 4: TypeError: DAG.__init__() got an unexpected keyword argument 'schedul'",
    ),
    "lacks": ("import none_such_module", "line 4: ModuleNotFoundError: No module named 'none_such_module'"),
}  # fmt: skip
HANGS = """\
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
time.sleep(600)"""
BROKEN = DAG.format(line="import none_such_module", name="pr_broken")


@pytest.fixture
def tree(tmp_path: Path, sample_dags: Path) -> Path:
    """Return a changed copy of the sample tree."""
    tree = tmp_path / "dags"
    shutil.copytree(sample_dags, tree)
    (tree / "NGIOS_UTIL/changed.sh").write_text(f"# {os.urandom(8).hex()}\n")
    return tree


@pytest.fixture(autouse=True)
def before(cluster: Cluster) -> Iterator[str]:
    """Return what is live before a test, and afterwards leave the sample tree."""
    (release,) = live(cluster)
    yield release
    if live(cluster) != {release}:
        cluster.playbook("deploy_dags.yml", "-l", "datanodes")


def live(cluster: Cluster) -> set[str]:
    return {cluster.ssh(host, f"sudo readlink {HOME}/dags").stdout.strip() for host in READERS}


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def pack(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def deliver(cluster: Cluster, tree: Path, *more: str, good: bool) -> str:
    """Deliver and return what the run said, in one line; of a failure only the result, which Ansible tells twice."""
    run = cluster.playbook("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}", *more, check=False)
    assert (run.returncode == 0) is good, run.stdout + run.stderr
    return " ".join((run.stdout + run.stderr).split("fatal: ")[-1].split()).replace("''", "'")  # as YAML has them


def test_what_airflow_does_not_load_or_cannot_judge_goes_live_with_a_warning(
    cluster: Cluster, tree: Path, before: str
) -> None:
    dags = {f"SALES/pr_{name}.py": DAG.format(line=line, name=f"pr_{name}") for name, (line, _) in ASKS.items()}
    write(tree, OTHERS | dags)
    pack(
        tree / "SALES/pack.zip",
        {"pr_zip.py": DAG.format(line="from of_zip import X", name="pr_zip"), "of_zip.py": "X = 1"},
    )
    pack(tree / "SALES/sheet.xlsx", {"xl/a.xml": "airflow dag"})
    pack(tree / "SALES/lib.jar", {"a/b.class": "airflow dag"})
    for number in (1, 2):  # each has a helper of its own, of the same name
        own = DAG.format(line=f"from common.parts import PART_{number}", name=f"pr_own_{number}")
        helper = {"common/__init__.py": "", "common/parts.py": f"PART_{number} = 1"}
        pack(tree / f"SALES/own_{number}.zip", {f"pr_own_{number}.py": own, **helper})
        own = f"import os, sys; sys.path.insert(0, os.path.dirname(__file__))\nfrom parts import PART_{number}"
        write(tree, {f"SALES_{number}/pr_part.py": DAG.format(line=own, name=f"pr_part_{number}")})
        write(tree, {f"SALES_{number}/parts.py": f"PART_{number} = 1"})
    (tree / "SALES/cut.zip").write_bytes((tree / "SALES/pack.zip").read_bytes()[:-4])
    extra = '{"airflow_environment_extra": {"SALES_PASSWORD": "withheld"}}'
    said = deliver(cluster, tree, "-e", extra, good=True)
    for name, (_, told) in ASKS.items():
        assert said.count(f"SALES/pr_{name}.py {told}: ") == 1, said
    assert "SALES/tpl/body.json is no JSON" in said
    assert "SALES/spark/count_rows.py:2 does not compile" in said
    assert "carried over" not in said
    assert live(cluster).isdisjoint({before})


def test_what_ends_airflow_while_it_is_loaded_is_named_once(cluster: Cluster, tree: Path, before: str) -> None:
    write(tree, {f"SALES/pr_{name}.py": DAG.format(line=line, name=f"pr_{name}") for name, (line, _) in ENDS.items()})
    pack(tree / "SALES/bad.zip", {"pr_bad.py": BROKEN})
    said = deliver(cluster, tree, good=False)
    for name, (_, told) in ENDS.items():
        assert said.count(f"SALES/pr_{name}.py: {told}") == 1, said
    assert said.count("SALES/bad.zip/pr_bad.py: line 4: ModuleNotFoundError") == 1
    assert "Warning" not in said.partition("Airflow cannot load")[2].partition("nothing was changed")[0]
    assert live(cluster) == {before}


def test_what_does_not_come_to_an_end_is_named(cluster: Cluster, tree: Path, before: str) -> None:
    write(tree, {"SALES/pr_hangs.py": DAG.format(line=HANGS, name="pr_hangs")})
    said = deliver(cluster, tree, "-e", "dag_release_parse_timeout=25", good=False)
    assert said.count("within 25 s (dag_release_parse_timeout); it was at SALES/pr_hangs.py") == 1
    assert live(cluster) == {before}


def test_what_is_broken_already_does_not_stop_the_mending_of_another_file(cluster: Cluster, tree: Path) -> None:
    write(
        tree,
        {"SALES/pr_broken.py": BROKEN, "SALES/pr_syntax.py": f"{BROKEN}def f(:\n", "helper_of_all.py": "VALUE = 1\n"},
    )
    write(tree, {"SALES/pr_uses.py": DAG.format(line="from helper_of_all import VALUE", name="pr_uses")})
    deliver(cluster, tree, "-e", "dag_release_parse=false", "-e", '{"dag_release_skip_checks": ["python"]}', good=True)
    before = live(cluster)
    write(tree, {"SALES/pr_good.py": DAG.format(line="", name="pr_good")})
    said = deliver(cluster, tree, "-e", '{"dag_release_files": ["SALES/pr_good.py"]}', good=True)
    assert said.count("SALES/pr_broken.py was broken before: line 4: ModuleNotFoundError") == 1
    assert said.count("SALES/pr_syntax.py was broken before: line 6: SyntaxError") == 1
    assert live(cluster).isdisjoint(before)
    before = live(cluster)
    write(tree, {"helper_of_all.py": "OTHER = 1\n"})
    said = deliver(cluster, tree, good=False)
    assert "Airflow cannot load" in said
    assert "SALES/pr_uses.py: line 4: ImportError: cannot import name 'VALUE'" in said
    assert "pr_broken.py" not in said
    assert "pr_syntax.py" not in said
    assert live(cluster) == before


def test_links_that_loop_are_refused_also_when_airflow_does_not_load_the_tree(
    cluster: Cluster, tree: Path, before: str
) -> None:
    for name, target in {"loop": ".", "self": "self", "again": "NGIOS_UTIL"}.items():
        (tree / name).symlink_to(target)
    said = deliver(cluster, tree, "-e", "dag_release_parse=false", good=False)
    assert "loop is a link to a folder in which it lies itself (to .)" in said
    assert "self is a link that leads back to itself (to self)" in said
    assert "again is a link to NGIOS_UTIL, a folder that Airflow comes to twice" in said
    said = deliver(cluster, tree, "-e", '{"dag_release_skip_checks": ["links"]}', good=False)
    assert said.count("the tree: Detected recursive loop when walking DAG directory") == 1
    assert live(cluster) == {before}
    subprocess.run(["find", tree, "-type", "l", "-delete"], check=True)
