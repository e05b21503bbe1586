"""The command ``ss FILE...``: deliver single files, named relative to the current folder, to all nodes.

Typed inside the folder of the DAG sources it takes the files from there; typed inside the live dags folder it takes the
edited files from there. It only finds the words for ``deploy_dags.yml``, which does the work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
REFUSED = 5  # exit code


class SsError(Exception):
    """A command that cannot be done, in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """The files of a command: the tree they are part of and their paths in it."""

    tree: Path
    files: list[str]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code of the playbook, or 5 for what is refused."""
    parser = argparse.ArgumentParser(prog="ss", description="Deliver single DAG files to all nodes.")
    parser.add_argument("files", metavar="FILE", nargs="+", help="relative to the current folder")
    parser.add_argument("--remove", action="store_true", help="take the files out of what is live instead")
    parser.add_argument("--check", action="store_true", help="only show what would change")
    chosen = parser.parse_args(arguments)
    try:
        wanted = locate(chosen.files, current_folder(os.environ), roots(os.environ), must_exist=not chosen.remove)
    except SsError as error:
        print(f"ss: {error}", file=sys.stderr)
        return REFUSED
    command = playbook(wanted, remove=chosen.remove, check=chosen.check)
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


def current_folder(environment: Mapping[str, str]) -> Path:
    """Return the current folder by the name under which the shell knows it, with the links that lead to it.

    :raises SsError: when another folder has that name now: the live dags folder is another release since the shell
        entered it, and what was edited here lies in the release before.
    """
    named = environment.get("PWD")
    if not named:
        return Path.cwd()
    if not (Path(named).exists() and Path(named).samefile(".")):
        raise SsError(f"{named} is another release since you entered it; type `cd {named}` and edit the file there.")
    return Path(named)


def roots(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders in which the command may be typed: the sources and the live dags folder.

    The sources are ``dags`` of this repository or DAG_SOURCE; the login profile names the live folder.
    """
    source = Path(environment.get("DAG_SOURCE") or REPOSITORY / "dags")
    live = environment.get("AIRFLOW_DAGS_FOLDER")
    return [source, *([Path(live)] if live else [])]


def locate(names: list[str], here: Path, trees: list[Path], must_exist: bool = True) -> Wanted:
    """Return which tree the current folder is part of, and the paths of the files in it.

    :raises SsError: when the folder is part of none, or a file is not there or outside.
    """
    tree, below = _tree_of(here, trees)
    found = {name: _inside(name, tree, below) for name in names}
    if outside := [name for name, path in found.items() if path is None]:
        raise SsError(f"{', '.join(outside)} is outside of {tree}; name files below it.")
    files = [path for path in found.values() if path]
    missing = [path for path in files if not (tree / path).is_file()] if must_exist else []
    if missing:
        raise SsError(f"{', '.join(missing)} is no file of {tree} that {_account()} can read.")
    return Wanted(tree, files)


def _tree_of(here: Path, trees: list[Path]) -> tuple[Path, Path]:
    for tree in trees:
        for folder, root in ((here, tree), (here.resolve(), tree.resolve())):
            if folder.is_relative_to(root):
                return tree, folder.relative_to(root)
    known = " or ".join(map(str, trees))
    raise SsError(f"{here} is not below {known}; go there, or name your sources by DAG_SOURCE.")


def _inside(name: str, tree: Path, below: Path) -> str | None:
    """Return the path in the tree of a file, named from its folder `below` or in full; None when it is outside."""
    full = Path(os.path.normpath(tree / below / name))
    for root in (Path(os.path.normpath(tree)), tree.resolve()):
        if full.is_relative_to(root) and full != root:
            return full.relative_to(root).as_posix()
    return None


def _account() -> str:
    return os.environ.get("USER") or str(os.geteuid())


def playbook(wanted: Wanted, remove: bool, check: bool) -> list[str]:
    """Return the command that delivers the files. The names travel as JSON, so that any name does."""
    names = {"dag_release_remove" if remove else "dag_release_files": wanted.files}
    values = json.dumps({**names, "dag_release_source": str(wanted.tree)}, ensure_ascii=False)
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "deploy_dags.yml", "--limit", "datanodes"]
    return [*command, "--diff", *(["--check"] if check else []), "--extra-vars", values]


if __name__ == "__main__":
    sys.exit(main())
