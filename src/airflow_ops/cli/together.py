"""What the values of one command must be together."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_ops import ss
from airflow_ops.cli.values import BadValue

Values = dict[str, Any]
PRODUCTION = "prod"


def unchanged(values: Values) -> Values:
    """Most values stand on their own."""
    return values


def components(values: Values) -> Values:
    """Leave the names out for all components: which run where is the inventory's business."""
    names = values["airflow_services_names"]
    return (
        {**values, "airflow_services_names": names}
        if "all" not in names
        else _without(values, "airflow_services_names")
    )


def deploy(values: Values) -> Values:
    """Find the tree that the files are part of; a commit, a folder and single files exclude each other."""
    paths, remove = values.get("dag_release_files") or [], values.get("remove", False)
    rest = _without(values, "dag_release_files", "remove")
    if "dag_release_repo" in rest and "dag_release_source" in rest:
        raise BadValue("--repo and --source both name where the DAGs come from; give one of them.")
    if "dag_release_subfolder" in rest and "dag_release_repo" not in rest:
        raise BadValue("--subfolder is a folder of the repository that --repo names; give both.")
    if remove and not paths:
        raise BadValue("--remove needs the files to take out.")
    if not paths:
        return rest
    if "dag_release_repo" in rest or "dag_release_version" in rest:
        raise BadValue("single files come from a folder, and --repo and --at name a commit; give one of them.")
    source = rest.get("dag_release_source")
    try:
        wanted = locate(paths, Path(source) if source else None, must_exist=not remove)
    except ss.SsError as error:
        raise BadValue(str(error)) from error
    name = "dag_release_remove" if remove else "dag_release_files"
    return {**rest, "dag_release_source": str(wanted.tree), name: wanted.files}


def locate(paths: list[str], source: Path | None, must_exist: bool) -> ss.Wanted:
    """Return the tree that files are part of and their paths in it.

    Names are relative to the current folder, as with ss; outside of a named source they are relative to that.
    """
    here, trees = ss.current_folder(os.environ), [source] if source else ss.roots(os.environ)
    inside = any(here.is_relative_to(tree) or here.resolve().is_relative_to(tree.resolve()) for tree in trees)
    if inside:
        return ss.locate(paths, here, trees, must_exist)
    if source:
        return ss.locate(paths, source, trees, must_exist)
    full = [Path(os.path.normpath(here / path)) for path in paths]
    for tree in trees:
        if full[0].is_relative_to(tree):
            return ss.locate([os.path.relpath(path, tree) for path in full], tree, trees, must_exist)
    raise BadValue(f"{paths[0]} is not below {' or '.join(map(str, trees))}; name your sources with --source.")


def sync_meta(values: Values) -> Values:
    """Refuse production as the target."""
    source, target = values.get("connection_sync_source", PRODUCTION), values.get("connection_sync_target", "dev")
    if target == PRODUCTION:
        raise BadValue("production is never the target of a sync.")
    if source == target:
        raise BadValue(f"source and target are both {source}.")
    return values


def clear(values: Values) -> Values:
    """Demand a run or a window of dates, in which nothing is cleared that nobody thought of."""
    run, first, last = (values.get(f"clear_tasks_{name}") for name in ("run_id", "start", "end"))
    if run and (first or last):
        raise BadValue("--run names one run and --from and --to a window; give one of them.")
    if not (run or first or last):
        raise BadValue("name the run with --run, or a window with --from and --to; neither would mean every run.")
    if first and last and datetime.fromisoformat(first).date() > datetime.fromisoformat(last).date():
        raise BadValue(f"the window ends ({last}) before it begins ({first}).")
    return values


def _without(values: Values, *names: str) -> Values:
    return {name: value for name, value in values.items() if name not in names}
