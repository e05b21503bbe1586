"""The neighbours of a tree: folders that lie beside it in the source, and beside the dags folder on the hosts."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_ops.dag_release.agent.beside import PLUGINS
from airflow_ops.dag_release.agent.tree import NEIGHBOURS
from airflow_ops.dag_release.plan import ReleaseError, Source, Target

# What lies in AIRFLOW_HOME and is no business of a release.
RESERVED = frozenset({"bin", "config_digests", "dag_releases", "dags", "logs", "venv", "venvs"})


def wrong_names(source: Source) -> list[str]:
    """Return what is wrong with the names of neighbours."""
    wrong = [name for name in source.neighbours if not re.fullmatch(r"\w[\w -]*", name) or name in RESERVED]
    said = [f"{name!r} of dag_release_neighbours is no folder that may lie beside the dags folder" for name in wrong]
    above = ".." in Path(source.plugins).parts
    return said + ([f"dag_release_plugins is {source.plugins} and may not hold .."] if above else [])


def paths(source: Source) -> dict[str, Path]:
    """Return where the neighbours lie, relative to the tree, by their names on the hosts."""
    wanted = {name: Path("..", name) for name in source.neighbours}
    return wanted | ({PLUGINS: Path("..", source.plugins)} if source.plugins else {})


def found(source: Source) -> dict[str, Path]:
    """Return the folders of the neighbours; one that was named and is not there is refused."""
    if wrong := wrong_names(source):
        raise ReleaseError(f"{'; '.join(wrong)}; nothing was changed.", "refused")
    folders = {name: (source.folder / path) for name, path in paths(source).items()}
    optional = PLUGINS if source.plugins == PLUGINS and PLUGINS not in source.neighbours else ""
    if missing := [str(path) for name, path in folders.items() if not path.is_dir() and name != optional]:
        raise ReleaseError(
            f"{', '.join(missing)} is no folder beside the DAGs (dag_release_neighbours, dag_release_plugins); nothing "
            "was changed.",
            "refused",
        )
    return {name: path for name, path in folders.items() if path.is_dir()}


def name_in_release(source: Source, name: str) -> str:
    """Return the path in the release of a file that people call by its path from the tree, as in ../plugins/x.py."""
    above, _, rest = name.partition("/")
    for own, path in paths(source).items() if above == ".." else []:
        if rest.startswith(f"{path.name}/"):
            return f"{NEIGHBOURS}/{own}/{rest.removeprefix(f'{path.name}/')}"
    return name


def brought(source: Source) -> list[str]:
    """Return the names of the neighbours that a run brings, or of which it brings files."""
    if not source.is_partial:
        return sorted(source.beside)
    return sorted({name.split("/")[1] for name in source.files if name.startswith(f"{NEIGHBOURS}/")})


def unread_plugins(source: Source, target: Target) -> list[str]:
    """Return why Airflow would not read the plugins that a run brings."""
    lie = str(Path(target.dags).with_name(PLUGINS))
    if PLUGINS not in brought(source) or target.plugins == lie:
        return []
    return [
        f"{source.beside[PLUGINS]} would lie in {lie}, and Airflow reads its plugins from {target.plugins} "
        "(core.plugins_folder of airflow.cfg); level the two, or set dag_release_plugins to an empty text"
    ]
