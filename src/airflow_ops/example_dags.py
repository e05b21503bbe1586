"""Take Airflow's own example DAGs out of its wheel: a DAG tree that nobody here wrote, to prove a cluster with.

python -m airflow_ops.example_dags ~/.cache/airflow-ops/wheelhouse/<key>/wheels /tmp/example_dags
ansible-playbook deploy_dags.yml -l datanodes -e dag_release_source=/tmp/example_dags
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from airflow_ops.wheelhouse import DEFAULT_CACHE

FOLDER = PurePosixPath("airflow/example_dags")

# It cannot be scheduled from a DAG folder: it wants a timetable that is registered as a plugin.
LEFT_OUT = ("example_workday_timetable.py",)

# These end by themselves within seconds, with nothing but Airflow, and each shows something else.
QUICK_DAGS = (
    "example_bash_operator",
    "example_python_operator",
    "example_dynamic_task_mapping",
    "example_task_group",
    "example_nested_branch_dag",
    "tutorial_taskflow_api",
)


class ExampleDagsError(Exception):
    """The examples cannot be had; the text is one sentence that says what to do."""


def wanted(names: Iterable[str]) -> dict[str, PurePosixPath]:
    """Return name in the wheel -> path in the tree, for every file that belongs into the tree."""
    paths = {name: PurePosixPath(name) for name in names}
    return {
        name: path.relative_to(FOLDER)
        for name, path in paths.items()
        if path.is_relative_to(FOLDER) and not name.endswith("/") and path.name not in LEFT_OUT
    }


def airflow_wheel(cache: Path) -> Path:
    """Return the wheel of Airflow in the newest wheelhouse of a cache (each is a folder with wheels/ in it)."""
    found = sorted(cache.glob("*/wheels/apache_airflow-[0-9]*.whl"), key=lambda path: path.parents[1].stat().st_mtime)
    if not found:
        raise ExampleDagsError(f"{cache} holds no wheel of Airflow; run site.yml first, it builds the wheelhouse.")
    return found[-1]


def extract(target: Path, cache: Path = DEFAULT_CACHE) -> list[PurePosixPath]:
    """Write the examples below `target`, which must be empty or missing; return the paths written, sorted."""
    if target.exists() and any(target.iterdir()):
        raise ExampleDagsError(f"{target} is not empty; name a new folder.")
    with zipfile.ZipFile(airflow_wheel(cache)) as wheel:
        files = wanted(wheel.namelist())
        for name, path in files.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(wheel.read(name))
    return sorted(files.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Extract as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m airflow_ops.example_dags", description="Extract the example DAGs.")
    parser.add_argument("target", type=Path, help="new folder for the tree")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of all wheelhouses (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        written = extract(options.target, options.cache)
    except (ExampleDagsError, OSError, zipfile.BadZipFile) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(written)} files in {options.target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
