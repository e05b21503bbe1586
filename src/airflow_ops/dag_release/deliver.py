"""One delivery from beginning to end: stage, verify and parse everywhere, then make it live on all hosts or on none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_ops.dag_release import checks, inside_program, judge, neighbours, reach, tree
from airflow_ops.dag_release import source as sources
from airflow_ops.dag_release.agent import beside
from airflow_ops.dag_release.agent.tree import NEIGHBOURS, PACKAGE, Entry, Named, digest
from airflow_ops.dag_release.fleet import Fleet, Host, Outcome, on_all, push
from airflow_ops.dag_release.plan import Order, ReleaseError, Report, Source, Target, demand, who
from airflow_ops.dag_release.prune import prune
from airflow_ops.dag_release.switch import NOTHING, Run

STAGED = "nothing was made live"


def deliver(target: Target, order: Order, check_only: bool, say: Callable[[str], None]) -> Report:
    """Deliver a tree and return what was done; a refusal or failure is a ReleaseError.

    `say` receives one line a phase, as it begins.
    """
    say(f"source {sources.name_of(order.source)}")
    with (
        sources.resolved(order.source) as (source, origin),
        TemporaryDirectory(prefix="dag-release-") as folder,
        Fleet(target.user, {**target.place, "neighbours": neighbours.brought(source)}) as fleet,
    ):
        fleet.open([target.scheduler, *target.hosts])  # they connect while the tree is read, and are asked nothing yet
        wanted = checked(source, target, say)
        delivery = _Delivery(Run(target, fleet, say), replace(order, source=source), origin, wanted, Path(folder))
        return delivery.run(check_only)


@dataclass(frozen=True)
class Files:
    """The files of a release by their path in it, their stamps when this run first saw them, and what is wrong."""

    paths: Mapping[str, Path]
    stamps: Mapping[str, str]
    findings: checks.Findings

    def entries(self) -> list[Entry]:
        """Return the entries of the files; what cannot be read, or was written to, is a refusal."""
        with unread():
            entries = tree.entries(self.paths)
            self.unchanged()
        return entries

    def copy(self, names: Iterable[str], folder: Path, target: Target) -> None:
        """Copy some of the files to a folder, from which they travel; refuse as `entries` does."""
        with unread():
            tree.copy({name: self.paths[name] for name in names}, folder, target.file_mode, target.folder_mode)
            self.unchanged()

    def unchanged(self) -> None:
        """Refuse files that are not as this run first saw them."""
        now = tree.stamps(self.paths)
        if torn := [name for name, stamp in self.stamps.items() if stamp != now[name]]:
            raise ReleaseError(f"{judge.some(torn)} changed while the run read it; {NOTHING}, repeat it.")


@contextmanager
def unread() -> Iterator[None]:
    """Refuse what the system cannot read or copy."""
    try:
        yield
    except OSError as error:
        reason = f"{error.filename} cannot be read or copied ({error.strerror})"
        raise ReleaseError(f"{reason}; {NOTHING}, repeat the command when it can.") from error


def checked(source: Source, target: Target, say: Callable[[str], None]) -> Files:
    """Return the files of a release, or refuse them with everything that is wrong."""
    if source.is_partial:
        files, wrong = partial_files(source)
    else:
        files = tree.origins(source)
        held = [path for path in [*source.extra, NEIGHBOURS] if (source.folder / path).exists()]
        wrong = [f"{path} is a name that every release already holds" for path in held]
        if len(files) == len(source.extra) and not source.allow_empty:
            wrong.append("it is empty (dag_release_allow_empty)")
    say(f"check {len(files)} files of {source.folder}")
    stamps = tree.stamps(files)
    wrong += checks.named_as_runtime(files, Named(target.runtime))
    wrong += neighbours.unread_plugins(source, target)
    found = checks.findings(files, source)
    if not source.is_partial:
        found.wrong |= checks.link_findings(files, tree.links(files), source)
    found.refused += wrong + checks.unreadable(target.file_mode, target.folder_mode)
    if found.refused:
        raise no_release(source, found.all)
    return Files(files, stamps, found)


def no_release(source: Source, wrong: Iterable[str]) -> ReleaseError:
    """Return the refusal of a tree with all that is wrong."""
    return ReleaseError(f"{source.folder} is no release: {'; '.join(wrong)}; {NOTHING}.", "refused")


def partial_files(source: Source) -> tuple[dict[str, Path], list[str]]:
    """Return the files that go on top of the live release, and what is wrong with their names."""
    wrong = [f"{name} is not a path inside the tree" for name in [*source.files, *source.remove] if not _inside(name)]
    wrong += [f"{name} belongs to every release" for name in [*source.files, *source.remove] if name in source.extra]
    files = {name: source.path_of(name) for name in source.files if _inside(name)}
    wrong += [f"{name} is not a file" for name, path in files.items() if not (path.is_symlink() or path.is_file())]
    return {name: path for name, path in files.items() if path.is_symlink() or path.is_file()}, wrong


def _inside(name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts and Path(name).as_posix() == name


class _Delivery:
    """The state of one delivery: the tree and what the hosts said."""

    def __init__(self, run: Run, order: Order, origin: dict[str, Any], files: Files, folder: Path) -> None:
        self.switch, self.source, self.origin = run, order.source, origin
        self.parse, self.keep, self.files = order.parse, order.keep, files
        self.copy = folder / "tree"  # of the files that travel; it has the modes of a release, the folder is ours alone
        self.copy.mkdir()
        self.target, self.fleet, self.say = run.target, run.fleet, run.say
        self.now = datetime.now(timezone.utc)
        self.entries: list[Entry] = []
        self.digest = self.release = ""
        self.staged: dict[str, str] = {}  # where the tree lies on the hosts before it is a release
        self.live_files: list[Entry] = []
        self.broken: set[str] = set()  # files of the live release that Airflow cannot load
        self.by_hand = False  # what is live are files that no source has brought
        self.live_dags: Mapping[str, Mapping[str, str]] | None = None
        self.dags: dict[str, dict[str, str]] | None = None  # not known before Airflow has loaded the tree

    def run(self, check_only: bool) -> Report:
        if not self.source.is_partial:
            self.entries = self.files.entries()
            self.refuse_worse(self.entries, self.files.findings.wrong)
        if not check_only:
            self.switch.take_lock(f"deliver {sources.name_of(self.source)}")
        packages = [entry.path for entry in self.entries if entry.path.endswith(f"/{PACKAGE}")]
        seen = self.switch.look(check_only, packages)
        notes = judge.runtime_notes(seen) + judge.edit_notes(seen, [*self.source.files, *self.source.remove])
        notes += [] if check_only else self.switch.quarantine(seen)
        if self.source.is_partial:
            self.entries = self.on_top_of_live(seen)
        self.digest = digest(self.entries)
        self.release = judge.pick_id(seen, self.digest, self.now, self.keep.unmanaged)
        todo = [host for host in self.switch.hosts if not judge.is_live(seen[host.name], self.release, self.digest)]
        report = Report(self.release, [host.name for host in todo], len(self.entries), notes=notes)
        report.notes += judge.warned(self.files.findings.warnings)
        report.notes += self.look_above(seen, check_only)
        self.judge_plugins(seen, todo, report)
        if todo:
            self.bring(seen, todo, report, check_only)
        report.notes += [] if check_only else self.switch.level(self.release)
        report.notes += self.closing_notes()
        return report

    def bring(self, seen: judge.Seen, todo: list[Host], report: Report, check_only: bool) -> None:
        """Bring the tree to the hosts that lack it, and make it live there; or say what that would do."""
        self.read_live()
        difference = tree.delta(self.live_files, self.entries)
        if self.by_hand and self.keep.unmanaged == "carry":
            difference = replace(difference, removed=[])
        report.lines = difference.lines()
        loose = judge.unmanaged(seen, [entry.path for entry in self.entries], self.keep.unmanaged)
        report.lines += [f"? {path} ({name} alone has it)" for name, paths in loose.items() for path in paths]
        report.notes += judge.unmanaged_notes(loose, self.keep.unmanaged)
        report.notes += judge.late_imports(difference.removed)
        if check_only:
            self.preview(report)
            return
        self.stage(todo)
        carried = self.carry(todo)
        if self.parse.wanted:
            known = judge.Known(
                carried={name: result["carried"] for name, result in carried.items()}, unchecked=self.source.unchecked
            )
            report.notes += self.judge_parse(self.parse_on(self.parse_hosts(todo)), report, known)
        self.seal(carried)
        report.notes += [
            f"{name}: kept aside: {judge.some(result['kept'])}." for name, result in carried.items() if result["kept"]
        ]
        activated = self.switch.switch(
            {host.name: self.release for host in todo}, {host.name: self.digest for host in todo}
        )
        report.adopted = [name for name, result in activated.results.items() if result.get("adopted")]
        not_atomic = [name for name, result in activated.results.items() if not result["atomic"]]
        report.notes += judge.moved_notes(activated.results)
        report.notes += [
            f"{name}: its file system cannot exchange names; for an instant it had no dags folder."
            for name in not_atomic
        ]
        report.notes += self.read_back([*difference.added, *difference.changed]) if self.parse.wanted else []
        self.say(f"prune, {self.keep.releases} releases stay")
        here = [host for host in self.switch.hosts if host.name not in self.switch.missing]
        report.notes += prune(self.fleet, here, self.target.releases, self.keep)

    def refuse_worse(self, entries: Iterable[Entry], wrong: Mapping[str, str]) -> None:
        """Refuse files in which something is wrong, unless they are live like this already."""
        if wrong and not self.live_files:
            with suppress(ReleaseError):  # nobody knows what is live
                self.read_live()
        live, own = ({entry.path: entry.content for entry in some} for some in (self.live_files, entries))
        if new := [text for name, text in wrong.items() if live.get(name) != own[name]]:
            raise no_release(self.source, new)
        self.files.findings.warnings += [f"{text}; it is live like this already" for text in wrong.values()]

    def look_above(self, seen: judge.Seen, check_only: bool) -> list[str]:
        """Name the files that reach above the tree, and make sure that what they reach is found from a release."""
        reached = reach.above({name: path for name, path in self.files.paths.items() if name not in self.source.extra})
        if not check_only:
            names = sorted({*neighbours.brought(self.source), *(one.name for one in reached if one.name)})
            demand(self.fleet.ask(self.switch.hosts, "surround", names=names), NOTHING)
        return judge.reach_notes(reached, seen, neighbours.brought(self.source))

    def judge_plugins(self, seen: judge.Seen, todo: list[Host], report: Report) -> None:
        """Say which hosts get other plugins."""
        want = beside.plugins(self.entries)
        after = {host.name: judge.plugins_after(seen[host.name], want, self.keep.unmanaged) for host in todo}
        self.switch.judge_plugins(seen, after, report)

    def read_live(self) -> None:
        """Learn the files and dag_ids that are live from the last host, a master where one is part of the run."""
        hosts = [host for host in self.switch.hosts if host.name not in self.switch.blank]
        if not hosts:
            return
        host = hosts[-1]
        outcome = self.fleet.ask([host], "look", files=True)
        demand(outcome, NOTHING)
        result = outcome.results[host.name]
        self.live_files = [Entry(*entry) for entry in result["files"]]
        self.live_dags = result["dags"] if result["live"] or result["by_hand"] else {}
        self.by_hand = bool(result["by_hand"])

    def on_top_of_live(self, seen: judge.Seen) -> list[Entry]:
        """Return the files of a release that is the live one with some files replaced or removed."""
        base, why = judge.partial_base(seen, [*self.source.files, *self.source.remove])
        if why:
            raise ReleaseError(
                f"Single files go on top of one live release, and the hosts differ: {'; '.join(why)}; "
                f"{NOTHING}, deliver the whole tree first."
            )
        self.read_live()
        live = {entry.path: entry for entry in self.live_files}
        if absent := [name for name in self.source.remove if name not in live]:
            raise ReleaseError(f"{judge.some(absent)} is not part of {base}; {NOTHING}.")
        if linked := [name for name in self.files.paths if tree.is_below_link(live, name)]:
            raise ReleaseError(f"{judge.some(linked)} lies below a link of {base}; {NOTHING}, name the file itself.")
        merged = live | {entry.path: entry for entry in self.files.entries()}
        paths = sorted(merged.keys() - {*self.source.remove})
        known = checks.collisions(live, self.source)
        clash = [text for text in checks.collisions(paths, self.source) if text not in known]
        if clash := clash + checks.files_as_folders(paths):
            raise ReleaseError(f"{'; '.join(clash)}; {NOTHING}.")
        targets = {path: merged[path].content for path in paths if merged[path].kind == "link"}
        wrong = self.files.findings.wrong | checks.link_findings(paths, targets, self.source)
        self.refuse_worse(merged.values(), wrong)
        self.origin = {**self.origin, "base": base, "files": self.source.files, "removed": self.source.remove}
        return [merged[path] for path in paths]

    def wanted(self) -> dict[str, Any]:
        """Return what a host is told of the tree: its files, and what they take in bytes (whole blocks) and inodes."""
        lowest = {Path(folder) for folder in {entry.path.rpartition("/")[0] for entry in self.entries}}
        folders = {parent for folder in lowest for parent in [folder, *folder.parents]}
        return {
            "size": sum((entry.size + 4095) // 4096 * 4096 for entry in self.entries),
            "count": len(self.entries) + len(folders),
            "files": [[entry.path, entry.kind, entry.content] for entry in self.entries],
        }

    def stage(self, hosts: list[Host]) -> None:
        """Bring the tree to the hosts and prove that each holds it; nothing is live yet."""
        self.say(f"stage {self.release} ({len(self.entries)} files) on {len(hosts)} hosts")
        begun = self.fleet.ask(hosts, "begin", release_id=self.release, **self.wanted())
        demand(begun, STAGED)
        self.staged = {name: result["staging"] for name, result in begun.results.items()}
        demand(self.send(begun.results), STAGED)
        self.say(f"verify {self.release} on {len(hosts)} hosts")
        if torn := self.not_verified(hosts):
            whole = {host.name: {**begun.results[host.name], "lacks": list(self.files.paths)} for host in torn}
            demand(self.send(whole), STAGED)
            if still := [host.name for host in self.not_verified(torn)]:
                raise ReleaseError(f"What {judge.some(still)} staged differs from what was sent, twice; {STAGED}.")

    def send(self, begun: judge.Seen) -> Outcome:
        """Bring to hosts the files that they lack."""
        lacking = {name: result["lacks"] for name, result in begun.items() if result["lacks"]}
        if gone := [name for names in lacking.values() for name in names if name not in self.files.paths]:
            raise ReleaseError(f"{judge.some(gone)} changed on a host while the run read it; {NOTHING}, repeat it.")
        self.files.copy({name for names in lacking.values() for name in names}, self.copy, self.target)
        owner = (self.target.user, self.target.group)
        hosts = [host for host in self.switch.hosts if host.name in lacking]
        return on_all(hosts, lambda host: push(host, self.copy, lacking[host.name], begun[host.name]["staging"], owner))

    def not_verified(self, hosts: list[Host]) -> list[Host]:
        """Return the hosts whose staged tree is not the one that was sent."""
        verified = self.fleet.ask(hosts, "verify", release_id=self.release)
        demand(verified, STAGED)
        return [host for host in hosts if verified.results[host.name]["digest"] != self.digest]

    def carry(self, hosts: list[Host]) -> dict[str, dict[str, Any]]:
        """Keep what the release would lose on each host, in the staged tree or aside."""
        carried = self.fleet.ask(hosts, "carry", release_id=self.release, unmanaged=self.keep.unmanaged)
        demand(carried, STAGED)
        return carried.results

    def seal(self, carried: Mapping[str, Mapping[str, Any]]) -> None:
        """Turn the staged trees into releases."""
        manifest = self.manifest()
        args = {
            name: {"release_id": self.release, "manifest": {**manifest, "carried": result["carried"]}}
            for name, result in carried.items()
        }
        demand(self.fleet.ask_each(args, "seal"), STAGED)

    def manifest(self) -> dict[str, Any]:
        return {
            "id": self.release,
            "digest": self.digest,
            "created": self.now.isoformat(timespec="seconds"),
            "by": who(),
            "source": str(self.source.folder) if not self.source.repo else self.origin["repo"],
            "origin": {key: value for key, value in self.origin.items() if key != "changes"},
            "dags": self.dags,
            "runtime": self.target.runtime,
        }

    def parse_hosts(self, hosts: list[Host]) -> list[Host]:
        """Return the scheduler and one worker, as far as they are among some hosts."""
        scheduler = [host for host in hosts if host.name == self.target.scheduler.name]
        worker = [host for host in self.target.first if host in hosts][:1]
        return list(dict.fromkeys([*scheduler, *worker])) or hosts[:1]

    def parse_on(self, hosts: list[Host]) -> dict[str, dict[str, Any]]:
        """Have the Airflow of some hosts load the staged tree."""
        self.say(f"parse {self.release} on {' and '.join(host.name for host in hosts)}")
        outcome = self.ask_airflow({host.name: self.staged[host.name] for host in hosts}, offline=True)
        demand(outcome, STAGED)
        seconds = max(result["seconds"] for result in outcome.results.values())
        found = next(iter(outcome.results.values()))
        self.say(f"parsed {len(found['dags'])} DAGs in {seconds:.1f} s")
        return outcome.results

    def ask_airflow(self, trees: Mapping[str, str], offline: bool) -> Outcome:
        request = {
            "program": inside_program(),
            "python": self.parse.python,
            "environment": self.parse.environment,
            "limit": self.parse.limit,
            "compile": "python" not in self.source.skip_checks,
        }
        args = {name: {"request": request, "tree": folder, "offline": offline} for name, folder in trees.items()}
        return self.fleet.ask_each(args, "parse")

    def judge_parse(self, parsed: judge.Seen, report: Report, known: judge.Known) -> list[str]:
        """Refuse a tree that Airflow loads worse than the live one; note its warnings and how the dag_ids change."""
        verdict = judge.verdict(parsed, known)
        if verdict.errors and self.live_files:
            self.say("parse what is live, which may have been broken before")
            before = self.ask_airflow(dict.fromkeys(parsed, self.target.dags), offline=True)
            broken = judge.broken_files(before.results)
            self.broken = {file for files in broken.values() for file in files}
            verdict = judge.verdict(parsed, replace(known, before=broken))
        if verdict.errors:
            raise ReleaseError(f"Airflow cannot load {self.source.folder}: {'; '.join(verdict.errors)}; {NOTHING}.")
        self.dags = verdict.dags
        report.notes += judge.queue_warnings(next(iter(parsed.values())).get("queues", {}), self.target.queues)
        changes = judge.dag_delta(self.live_dags, verdict)
        report.lines += changes.lines("dag ") if changes else []
        if changes is None:
            report.notes.append("The dag_ids are not compared: nobody knows those of the live release.")
        return judge.warned(verdict.warnings)

    def preview(self, report: Report) -> None:
        """Say how the dag_ids would change: the scheduler loads the tree from a temporary folder."""
        hosts = self.parse_hosts([host for host in self.switch.hosts if host.name not in self.switch.blank])
        if not self.parse.wanted or not hosts:
            return
        host = hosts[0]
        begun = self.fleet.ask([host], "preview", **self.wanted())
        demand(begun, NOTHING)
        self.staged = {host.name: begun.results[host.name]["staging"]}
        try:
            demand(self.send(begun.results), NOTHING)
            parsed = self.parse_on([host])
        except ReleaseError as error:
            report.notes.append(f"The dag_ids are not compared in this preview ({error})")
            return
        report.notes += self.judge_parse(parsed, report, judge.Known(unchecked=self.source.unchecked))

    def read_back(self, brought: Iterable[str]) -> list[str]:
        """Tell the scheduler's database of the DAGs at once, and return errors that Airflow has only with it.

        :param brought: the files that this run has brought.
        """
        name = self.target.scheduler.name
        if name not in [host.name for host in self.switch.hosts] or name in self.switch.missing:
            return []
        outcome = self.ask_airflow({name: self.target.dags}, offline=False)
        if outcome.bad:
            return [f"The import errors were not read back from Airflow on {name} ({outcome.bad[name]})."]
        return judge.new_errors(outcome.results[name], brought, self.broken)

    def closing_notes(self) -> list[str]:
        """Return which hosts now run something else."""
        notes = [
            f"{name} is behind: it {why}. It is levelled by the next run of deploy_dags.yml that reaches it."
            for name, why in sorted(self.switch.missing.items())
        ]
        notes += self.switch.left_out_notes(self.release)
        return notes + judge.behind_notes(
            self.switch.behind, [*self.switch.missing, *[h.name for h in self.target.hosts]]
        )
