"""Decisions of a run about what the hosts said; no function here touches anything."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.place import releases_before
from airflow_ops.dag_release.reach import Reach
from airflow_ops.dag_release.tree import Delta, release_id

Seen = Mapping[str, Mapping[str, Any]]  # what look said, by host
SHOWN = 10  # names in one sentence


def some(names: Iterable[str]) -> str:
    """Return names as a part of a sentence, not too many."""
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{', '.join(listed[:SHOWN])}{more}"


def warned(warnings: list[str]) -> list[str]:
    """Return warnings as the run shows them, not too many."""
    more = len(warnings) - SHOWN
    return [f"Warning: {text}" for text in warnings[:SHOWN]] + ([f"{more} more warnings."] if more > 0 else [])


def is_live(seen: Mapping[str, Any], release: str, digest: str) -> bool:
    """Say whether a host runs a release and nobody changed a file of it."""
    return bool(seen["live"] == release and seen["committed"] and seen["digest"] == digest)


def pick_id(seen: Seen, digest: str, now: datetime, what: str = "carry") -> str:
    """Return the id to level to: the live one that holds this very tree, unless a host has it edited or unfinished.

    With `what` "drop", files that no source has brought call for a new release, which is without them.
    """
    live = {result["live"] for result in seen.values() if result["live"] and result["digest"] == digest}
    spoilt = {result["live"] for result in seen.values() if result["digest"] != digest or not result["committed"]}
    spoilt |= {result["live"] for result in seen.values() if what == "drop" and result["unmanaged"]}
    return max(live - spoilt, default=release_id(digest, now))


def edit_notes(seen: Seen, ours: Iterable[str] = ()) -> list[str]:
    """Return what somebody did by hand below the live link, one sentence a host.

    :param ours: files whose edits are what this run delivers.
    """
    notes, expected = [], set(ours)
    for name, result in sorted(seen.items()):
        if edited := [path for path in result["edited"] if path not in expected]:
            notes.append(f"{name}: edited in place below the live link: {some(edited)}.")
        if missing := [path for path in result["missing"] if path not in expected]:
            notes.append(f"{name}: deleted in place below the live link: {some(missing)}.")
    return notes


def unmanaged(seen: Seen, wanted: Iterable[str], what: str) -> dict[str, list[str]]:
    """Return the files that the source lacks by host; with `what` "carry" those that were not carried before."""
    known, found = set(wanted), {}
    for name, result in sorted(seen.items()):
        old = result["carried"] if what == "carry" else []
        if new := [path for path in result["unmanaged"] if path not in known and path not in old]:
            found[name] = new
    return found


def unmanaged_notes(found: Mapping[str, list[str]], what: str) -> list[str]:
    """Return what becomes of those files, one sentence a host."""
    verb = "are carried into the new release" if what == "carry" else "do not go into the new release"
    return [
        f"{name}: files that the source lacks {verb}, {len(paths)}: {some(paths)}." for name, paths in found.items()
    ]


def runtime_notes(seen: Seen) -> list[str]:
    """Return the runtime files of the hosts, one sentence for those that have the same."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for name, result in sorted(seen.items()):
        if result["runtime"]:
            hosts.setdefault(tuple(result["runtime"]), []).append(name)
    return [
        f"{', '.join(names)}: runtime files of the host, which no release changes, {len(paths)}: {some(paths)}."
        for paths, names in hosts.items()
    ]


def moved_notes(activated: Seen) -> list[str]:
    """Return which runtime files are not what the live tree shows now, and where they lie."""
    notes = []
    for name, result in sorted(activated.items()):
        where = f"dag_releases/{result.get('replaced')}"
        if result.get("hidden"):
            notes.append(
                f"{name}: the release brings such files itself, those of the host wait in {where}: "
                f"{some(result['hidden'])}."
            )
        if result.get("stuck"):
            notes.append(
                f"{name}: runtime files of other accounts stay in {where}, the live tree has links to them: "
                f"{some(result['stuck'])}."
            )
        if result.get("kept"):
            notes.append(f"{name}: kept aside: {some(result['kept'])}.")
    return notes


def prune_notes(bad: Mapping[str, str], stood: Seen, pruned: Seen) -> list[str]:
    """Return which old releases stay, and why.

    :param stood: the processes that stand in releases, by host and release.
    """
    notes = [f"Old releases stay on {name} ({why})." for name, why in sorted(bad.items())]
    notes += [
        f"{name}: {release} stays until a later run: processes stand in it ({some(map(str, processes))})."
        for name, found in sorted(stood.items())
        for release, processes in sorted(found.items())
    ]
    why = {
        "edited": "files in it were edited after it was replaced",
        "held": "runtime files in it cannot be moved by this account",
    }
    return notes + [
        f"{name}: {some(result[kind])} stays: {reason}."
        for name, result in sorted(pruned.items())
        for kind, reason in why.items()
        if result[kind]
    ]


def plugins_after(seen: Mapping[str, Any], want: list[list[str]], unmanaged: str) -> list[list[str]]:
    """Return the plugins that a host will have: those of the release, and with "carry" those that only it has."""
    brought = {path for path, _, _ in want}
    own = [each for each in seen["plugins"] if each[0] in seen["unmanaged"] and each[0] not in brought]
    return sorted(want + (own if unmanaged == "carry" else []))


def reach_notes(reached: Iterable[Reach], seen: Seen, brought: Iterable[str]) -> list[str]:
    """Return a sentence for each path above the tree that files of it name: what lies there, and whether it works."""
    notes: dict[str, list[str]] = {}
    for one in reached:
        notes.setdefault(_fate(one, seen, set(brought)), []).append(f"{one.file}:{one.line} ({one.path})")
    return [f"Above the tree, {fate}: {some(places)}." for fate, places in notes.items()]


def _fate(one: Reach, seen: Seen, brought: set[str]) -> str:
    """Return what becomes of a path above the tree."""
    if one.name is None:
        return "outside of AIRFLOW_HOME, which does not work from a release, name the whole path instead"
    if not one.name:
        return "AIRFLOW_HOME itself"
    if one.name in brought:
        return f"{one.name} comes with the release"
    lacking = sorted(name for name, result in seen.items() if one.name not in result["beside"])
    if not lacking:
        return f"AIRFLOW_HOME/{one.name} lies on every host and is not part of the release (dag_release_neighbours)"
    return f"AIRFLOW_HOME/{one.name} is missing on {', '.join(lacking)}, which dag_release_neighbours can bring"


def late_imports(removed: Iterable[str]) -> list[str]:
    """Return a warning about modules that are gone: a running task that imports one late does not find it."""
    modules = [path for path in removed if path.endswith(".py")]
    if not modules:
        return []
    return [f"Modules that the new release no longer has, a running task that imports one late fails: {some(modules)}."]


def queue_warnings(queues: Mapping[str, Mapping[str, list[str]]], workers: Mapping[str, list[str]]) -> list[str]:
    """Return a sentence for each queue that no worker listens to: its tasks would stay queued.

    :param queues: tasks by queue by dag_id.
    :param workers: the queues that each worker listens to, as the inventory says.
    """
    heard = sorted({queue for own in workers.values() for queue in own})
    deaf = sorted({queue for own in queues.values() for queue in own} - {*heard}) if workers else []
    return [
        f"No worker listens to queue {queue}, so what needs it stays queued: "
        f"{some(f'{dag}.{task}' for dag, own in sorted(queues.items()) for task in own.get(queue, []))}; the workers "
        f"listen to {', '.join(heard)} (airflow_worker_queues)."
        for queue in deaf
    ]


@dataclass(frozen=True)
class Verdict:
    """What the hosts' Airflow found in a tree."""

    errors: list[str]  # stop the run
    warnings: list[str]
    dags: dict[str, dict[str, str]]  # by dag_id: its file and a hash of its content
    unknown: set[str]  # files whose dag_ids could not be told


@dataclass(frozen=True)
class Known:
    """What is known of a tree beside what Airflow found in it.

    :param before: the files of the live tree that are broken already, by host.
    :param carried: the files that no source brought, by host.
    :param unchecked: says of a file that its content is not to be checked.
    """

    before: Mapping[str, Iterable[str]] = field(default_factory=dict)
    carried: Mapping[str, Iterable[str]] = field(default_factory=dict)
    unchecked: Callable[[str], bool] = lambda _file: False


# Errors that no value in a database has to do with.
OWN_FAULT = re.compile(
    r"(\w+\.)*((ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError|NameError|UnboundLocalError"
    r"|SystemExit|KeyboardInterrupt|AirflowTaskTimeout"
    r"|AirflowDagDuplicatedIdException|AirflowDagCycleException|DuplicateTaskIdFound): "
    r"|TypeError: .*unexpected keyword argument|AirflowException: (missing keyword argument|Invalid arguments))"
)
LACKS_FILE = re.compile(r"FileNotFoundError: .*: ['\"](.+)['\"]$")
UNUSUAL = re.compile(r"\bunusual_prefix_[0-9a-f]{40}_")  # before the name under which Airflow imports a file
OUTDATED = re.compile(r"RemovedInAirflow3Warning|DeprecatedImportWarning|DeprecationWarning")


def verdict(parsed: Seen, known: Known) -> Verdict:
    """Judge what Airflow found on the scheduler (first) and on a worker: a tree is refused for what it makes worse."""
    errors: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    warnings: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    unknown = set()
    for name, result in parsed.items():
        for file, text in sorted(result["errors"].items()):
            reads = result.get("reads", {}).get(file, [])
            why = let_through(file, text, reads, broken=file in known.before.get(name, ()), known=known)
            carried = " (carried over)" if _lies_in(file, known.carried.get(name, ())) else ""
            (warnings if why else errors)[f"{file}{carried}", why, message(file, text)].append(name)
            unknown |= {file} if why else set()
    outdated = [text for result in parsed.values() for text in result.get("warnings", []) if OUTDATED.search(text)]
    told = [_sentences(found, parsed) for found in (errors, warnings)]
    return Verdict(told[0], told[1] + list(dict.fromkeys(outdated)), dict(next(iter(parsed.values()))["dags"]), unknown)


def broken_files(parsed: Seen) -> dict[str, list[str]]:
    """Return the files by host that do not load, leaving out those of which that is not known."""
    return {
        name: [
            file
            for file, text in result["errors"].items()
            if not let_through(file, text, result.get("reads", {}).get(file, []), broken=False, known=Known())
        ]
        for name, result in parsed.items()
    }


def let_through(file: str, text: str, reads: list[str], broken: bool, known: Known) -> str:
    """Return why an error does not stop a delivery, as a part of a sentence; nothing when it does.

    :param reads: what the file asks the database while it is loaded; it is empty in this check.
    :param broken: the file has an error in the live tree of that host, too.
    """
    if broken:
        return "was broken before"
    if known.unchecked(file):
        return "is let through (dag_release_check_ignore)"
    if reads and not is_own_fault(text):
        return f"reads {some(reads)}, not judged"
    return ""


def is_own_fault(text: str) -> bool:
    """Say whether an error has nothing to do with what a file reads: a path that stands in the code has not either."""
    said = headline(text)
    file = LACKS_FILE.match(said)
    return bool(OWN_FAULT.match(said) or (file and file[1] in text.partition(said)[0]))


def new_errors(result: Mapping[str, Any], brought: Iterable[str], broken: Iterable[str]) -> list[str]:
    """Return the errors of the live tree that nobody was told of yet, one sentence each.

    The scheduler may have met a file before this run asked: what it knows counts only of files that were there before.

    :param result: what Airflow found with its database, and in `known` the files in which it knows of an error.
    :param brought: the files that this run has brought.
    :param broken: those that were broken before, as this run has said.
    """
    known = {file for file in result["known"] if not _lies_in(file, brought)} | {*broken}
    new = {file: text for file, text in result["errors"].items() if file not in known}
    return [f"New import error in Airflow: {file}: {message(file, text)}." for file, text in sorted(new.items())]


def _sentences(found: Mapping[tuple[str, str, str], list[str]], hosts: Iterable[str]) -> list[str]:
    """Return one sentence a finding, with the hosts when not all that were asked have it."""
    return [
        " ".join(filter(None, [file, why, "" if {*names} == {*hosts} else f"on {' and '.join(names)}"])) + f": {text}"
        for (file, why, text), names in found.items()
    ]


def _lies_in(file: str, names: Iterable[str]) -> bool:
    """Say whether a file, or the archive that it lies in, is one of some."""
    return not {file, *map(str, Path(file).parents)}.isdisjoint(names)


def message(file: str, text: str) -> str:
    """Return line and message of an import error from its traceback."""
    frames = re.findall(rf'File "{re.escape(file)}", line (\d+)', text)
    return f"line {frames[-1]}: {headline(text)}" if frames else headline(text)


def headline(text: str) -> str:
    """Return the line that names an error: the first one, or the one below the frames of a traceback."""
    lines = [line for line in text.splitlines() if line.strip()]
    ends = [number for number, line in enumerate(lines) if line.lstrip().startswith('File "')]
    below = lines[ends[-1] + 1 :] if ends else lines
    return UNUSUAL.sub("", next((line.strip() for line in below if not line.startswith(" ")), "no message"))


def dag_delta(have: Mapping[str, Mapping[str, str]] | None, verdict: Verdict) -> Delta | None:
    """Return how the dag_ids differ from the live release, None when those are not known."""
    if have is None:
        return None
    kept = {name: dag["hash"] for name, dag in have.items() if dag["file"] not in verdict.unknown}
    want = {name: dag["hash"] for name, dag in verdict.dags.items()}
    return Delta(
        added=sorted(want.keys() - kept.keys()),
        changed=sorted(name for name in want.keys() & kept.keys() if want[name] != kept[name]),
        removed=sorted(kept.keys() - want.keys()),
    )


def partial_base(seen: Seen, ours: Iterable[str]) -> tuple[str, list[str]]:
    """Return the live release that files are put on top of, and why that cannot be done."""
    why, expected = [], set(ours)
    live = {name: result["live"] for name, result in seen.items()}
    for name, result in sorted(seen.items()):
        spoilt = [path for path in [*result["edited"], *result["missing"]] if path not in expected]
        if not result["live"]:
            why.append(f"{name} has no release yet")
        elif not result["committed"]:
            why.append(f"{name} is on {result['live']}, which never went live everywhere")
        elif spoilt:
            why.append(f"{name} has files changed in place ({some(spoilt)})")
    if not why and len(set(live.values())) > 1:
        why = [f"{name} is on {release}" for name, release in sorted(live.items())]
    return next(iter(live.values()), None) or "", why


def behind_notes(behind: Mapping[str, Mapping[str, Any]], hosts: Iterable[str]) -> list[str]:
    """Return a reminder of the hosts that are behind and not part of this run."""
    here = set(hosts)
    away = sorted(name for name in behind if name not in here)
    return (
        [f"Behind since an earlier run, not part of this one: {', '.join(away)}; deploy_dags.yml there."]
        if away
        else []
    )


def rollback_target(releases: Seen, wanted: str) -> tuple[dict[str, str], list[str]]:
    """Return the release to go back to by host, and why that cannot be done.

    :param releases: what the hosts said of their releases.
    :param wanted: an id; empty means the one before the live one that holds another tree.
    """
    target, why = {}, []
    for name, result in sorted(releases.items()):
        have = [release["id"] for release in result["releases"]]
        older = releases_before(result["live"], have)
        if wanted and wanted not in have:
            why.append(f"{name} has no release {wanted} (it has {some(have) or 'none'})")
        elif not wanted and not older:
            why.append(f"{name} has no release before {result['live']}")
        else:
            target[name] = wanted or older[-1]
    if not why and len(set(target.values())) > 1 and not _all_adopted(releases, target):
        why = [f"{name} had {release} before" for name, release in target.items()]
        why.append("name one that all have with -e dag_release_id=")
    return target, why


def _all_adopted(releases: Seen, target: Mapping[str, str]) -> bool:
    adopted = {
        (name, one["id"]) for name, result in releases.items() for one in result["releases"] if one.get("adopted")
    }
    return all((name, release) in adopted for name, release in target.items())
