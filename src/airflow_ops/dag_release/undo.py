"""Back to a release that the hosts still have, with the same two phases; and what releases there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_ops.columns import columns
from airflow_ops.dag_release import judge
from airflow_ops.dag_release.agent.tree import Entry
from airflow_ops.dag_release.fleet import Fleet
from airflow_ops.dag_release.plan import ReleaseError, Report, Target, demand
from airflow_ops.dag_release.switch import NOTHING, Run
from airflow_ops.dag_release.tree import Delta, compare, delta


def roll_back(target: Target, wanted: str, check_only: bool, say: Callable[[str], None]) -> Report:
    """Make the release `wanted` live again, or with an empty one the release before the live one.

    Each host first proves that what it has is what was delivered then.
    """
    with Fleet(target.user, target.place) as fleet:
        run = Run(target, fleet, say)
        fleet.open([target.scheduler, *target.hosts])
        if not check_only:
            run.take_lock(f"roll back to {wanted or 'the release before'}")
        seen = run.look(check_only=False)
        found = fleet.ask(run.hosts, "releases")
        demand(found, NOTHING)
        release, why = judge.rollback_target(found.results, wanted)
        if why:
            raise ReleaseError(f"There is no way back: {'; '.join(why)}; {NOTHING}.")
        todo = {name: own for name, own in release.items() if seen[name]["live"] != own}
        report = Report(run.named(release), sorted(todo), notes=judge.runtime_notes(seen) + judge.edit_notes(seen))
        report.notes += [] if check_only else run.quarantine(seen)
        proved = prove(run, release)
        run.judge_plugins(seen, {name: proved[name]["plugins"] for name in todo}, report)
        files = file_delta(run, release)
        report.lines = files.lines() + dag_lines(found.results, release)
        report.notes += judge.late_imports(files.removed)
        if todo and not check_only:
            report.notes += kept_notes(run, todo)
            switched = run.switch(todo, {name: result["digest"] for name, result in proved.items()})
            report.notes += judge.moved_notes(switched.results)
        report.notes += [] if check_only else run.level(run.named(release))
        report.notes += [f"{name} is behind: it {why}." for name, why in sorted(run.missing.items())]
        report.notes += run.left_out_notes(run.named(release))
        return report


def prove(run: Run, release: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return digest and plugins of the release on each host, or refuse one that is not what was delivered."""
    run.say(f"verify {run.named(release)} on {len(release)} hosts")
    proved = run.fleet.ask_each({name: {"release_id": own} for name, own in release.items()}, "prove")
    demand(proved, NOTHING)
    wrong = {name: result for name, result in proved.results.items() if result["digest"] is None or result["wrong"]}
    if wrong:
        named = [
            f"{name} has it changed ({judge.some(result['wrong'])})" if result["wrong"] else f"{name} lacks it"
            for name, result in sorted(wrong.items())
        ]
        raise ReleaseError(f"{run.named(release)} is not what was delivered: {'; '.join(named)}; {NOTHING}.")
    return proved.results


def file_delta(run: Run, release: dict[str, str]) -> Delta:
    """Return how the files of the last host change."""
    host = run.hosts[-1]
    live = run.fleet.ask([host], "look", files=True)
    wanted = run.fleet.ask([host], "prove", release_id=release[host.name], files=True)
    for outcome in (live, wanted):
        demand(outcome, NOTHING)
    have, want = ([Entry(*entry) for entry in outcome.results[host.name]["files"]] for outcome in (live, wanted))
    return delta(have, want)


def kept_notes(run: Run, todo: dict[str, str]) -> list[str]:
    """Keep aside what was changed below the live link, and return where."""
    kept = run.fleet.ask_each({name: {"release_id": own} for name, own in todo.items()}, "keep")
    demand(kept, NOTHING)
    found = {name: result["kept"] for name, result in kept.results.items() if result["kept"]}
    return [f"{name}: kept aside: {judge.some(names)}." for name, names in sorted(found.items())]


def dag_lines(releases: judge.Seen, release: dict[str, str]) -> list[str]:
    """Return how the dag_ids change, by the manifests of the first host that knows both."""
    for name, own in release.items():
        dags = {one["id"]: one.get("dags") for one in releases[name]["releases"]}
        have, want = dags.get(releases[name]["live"]), dags.get(own)
        if have and want:
            return compare(_hashes(have), _hashes(want)).lines("dag ")
    return []


def _hashes(dags: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: dag["hash"] for name, dag in dags.items()}


def list_releases(target: Target) -> tuple[list[str], list[str]]:
    """Return the releases of every host as lines of a table, and what is worth a note."""
    with Fleet(target.user, target.place) as fleet:
        fleet.open([target.scheduler, *target.hosts])
        found = fleet.ask(target.hosts, "releases")
        behind = fleet.ask([target.scheduler], "behind", add={}, remove=[])
    rows: list[tuple[str, ...]] = [("host", "live", "release", "when", "who", "commit", "files", "DAGs")]
    for host in target.hosts:
        if host.name in found.results:
            rows += host_rows(host.name, found.results[host.name])
    recorded = behind.results.get(target.scheduler.name, {}).get("behind", {})
    notes = [f"{name} is behind since {one['since']} (it {one['why']})." for name, one in sorted(recorded.items())]
    notes += [f"{name} is in quarantine: its worker is stopped." for name in sorted(quarantined(found.results))]
    notes += judge.runtime_notes(found.results)
    notes += [f"{name}: {why}." for name, why in sorted(found.bad.items())]
    live = {name: result["live"] for name, result in found.results.items()}
    if len(set(live.values())) > 1:
        notes.append(f"The hosts differ: {', '.join(f'{name} {one}' for name, one in sorted(live.items()))}.")
    return columns(rows), notes


def quarantined(found: judge.Seen) -> list[str]:
    """Return the hosts whose worker is kept stopped until it has caught up."""
    return [name for name, result in found.items() if result["quarantined"]]


def host_rows(name: str, result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return one row a release of a host, the newest first."""
    rows: list[tuple[str, ...]] = []
    for one in reversed(result["releases"]):
        origin = one.get("origin") or {}
        commit = str(origin.get("commit", "-"))[:12] + ("+" if origin.get("dirty") else "")
        who = "adopted" if one.get("adopted") else str(one.get("by", "-"))
        dags = str(len(one["dags"])) if one.get("dags") else "-"
        live = "*" if one["id"] == result["live"] else ""
        rows.append((name, live, one["id"], str(one.get("created", "-")), who, commit, str(one["files"]), dags))
    return rows or [(name, "", "a plain folder" if result["folder"] else "none", "-", "-", "-", "-", "-")]
