"""What every run that makes a release live has in common: the agents, the lock, and the switch in two phases."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_ops.dag_release import quarantine
from airflow_ops.dag_release.fleet import Fleet, Outcome
from airflow_ops.dag_release.judge import is_live
from airflow_ops.dag_release.plan import ReleaseError, Report, Target, demand, who

NOTHING = "nothing was changed"
NO_ACCOUNT = "unknown user"  # as sudo says it
BLANK: dict[str, Any] = {
    "live": None,
    "committed": False,
    "digest": None,
    "edited": [],
    "missing": [],
    "unmanaged": [],
    "carried": [],
    "runtime": [],
    "by_hand": False,
    "quarantined": False,
    "beside": [],
    "plugins": [],
    "plugins_noted": False,
}
RETRY = 1.0  # seconds between two tries to get the lock


class Run:
    """The agents of all hosts and what they said; a release becomes live on all hosts or on none."""

    def __init__(self, target: Target, fleet: Fleet, say: Callable[[str], None]) -> None:
        self.target, self.fleet, self.say = target, fleet, say
        self.hosts = target.hosts  # those that answer
        self.behind: dict[str, dict[str, Any]] = {}  # as recorded on the scheduler host
        self.quarantined: set[str] = set()  # hosts whose worker is kept stopped
        self.missing: dict[str, str] = {}  # hosts that do not answer, with the reason
        self.blank: list[str] = []  # hosts of a preview that have not even the account

    def take_lock(self, what: str) -> None:
        """Take the lock on the scheduler host, or wait for it as long as was asked."""
        scheduler, until = self.target.scheduler, time.monotonic() + self.target.lock_wait
        self.say(f"lock on {scheduler.name}")
        asked = {"path": self.target.lock_file, "who": who(), "where": socket.gethostname(), "what": what}
        while True:
            outcome = self.fleet.ask([scheduler], "lock", **asked)
            demand(outcome, NOTHING)
            answer = outcome.results[scheduler.name]
            if not answer["held"]:
                self.behind = answer["behind"]
                return
            if time.monotonic() >= until:
                raise ReleaseError(
                    f"{answer['held']}; {NOTHING}, wait for that run or set dag_release_lock_wait (seconds).", "locked"
                )
            time.sleep(RETRY)

    def look(self, check_only: bool, packages: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """Look at all hosts; those that do not answer stop the run unless they may be missing.

        In a preview a host without the account is one that has nothing yet.

        :param packages: what makes folders of the source packages; in one that no source brings a file is loaded too.
        """
        self.say(f"look at {len(self.hosts)} hosts")
        seen = self.fleet.ask(self.hosts, "look", brought=list(packages))
        self.blank = [name for name, why in seen.failed.items() if check_only and NO_ACCOUNT in why]
        for name in self.blank:
            del seen.failed[name]
            seen.results[name] = dict(BLANK)
        if self.target.allow_missing and self.target.scheduler.name not in seen.unreachable:
            self.missing = {name: f"could not be reached: {why}" for name, why in seen.unreachable.items()}
            seen.unreachable = {}
            self.hosts = [host for host in self.hosts if host.name not in self.missing]
        demand(seen, NOTHING)
        self.quarantined = {name for name, result in seen.results.items() if result["quarantined"]}
        if not self.hosts:
            raise ReleaseError(f"No host of this run answers; {NOTHING}.", "unreachable")
        return seen.results

    def quarantine(self, seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Stop the workers that missed a release and are here again, until this run has brought it to them."""
        expected = seen.get(self.target.scheduler.name, {}).get("live")
        late = [
            host
            for host in self.target.first
            if host.name in self.behind and host.name in seen and seen[host.name]["live"] != expected
        ]
        self.quarantined |= {host.name for host in late}
        return quarantine.enter(late)

    def judge_plugins(self, seen: Mapping[str, Mapping[str, Any]], after: Mapping[str, Any], report: Report) -> None:
        """Say which hosts get other plugins, for what reads them restarts there.

        :param after: the plugins that each host will have.
        """
        changed = sorted(name for name, plugins in after.items() if plugins != seen[name]["plugins"])
        report.plugins = sorted({*changed, *(name for name, result in seen.items() if result["plugins_noted"])})
        if changed:
            report.notes.append(
                f"The plugins change on {', '.join(changed)}: the services restart there after the switch, a worker "
                "when its tasks have ended."
            )

    def switch(self, release: Mapping[str, str], digests: Mapping[str, str]) -> Outcome:
        """Make a release live on some hosts, workers first; one failure puts every host back.

        :param release: what becomes live, by host.
        :param digests: the digest that the host must find then.
        """
        self.say(f"activate {self.named(release)} on {len(release)} hosts, the workers first")
        report = Outcome()
        for wave in (self.target.first, self.target.last):
            names = [host.name for host in wave if host.name in release]
            outcome = self.fleet.ask_each({name: {"release_id": release[name]} for name in names}, "activate")
            self.or_back(outcome, release)
            report.results.update(outcome.results)
        self.say(f"confirm {self.named(release)} on {len(release)} hosts")
        confirmed = self.fleet.ask_each({name: {} for name in release}, "look")
        for name, seen in confirmed.results.items():
            if not is_live({**seen, "committed": True}, release[name], digests[name]):
                confirmed.failed[name] = f"it reports {seen['live']} with digest {str(seen['digest'])[:12]}"
        self.or_back(confirmed, release)
        for name, done in self.commit(release).results.items():
            result = report.results[name]
            report.results[name] = {**result, "kept": [*result.get("kept", []), *done["kept"]]}
        return report

    def named(self, release: Mapping[str, str]) -> str:
        """Return the id of a release, or words for the folders that were adopted, of which each host has its own."""
        ids = sorted(set(release.values()))
        return ids[0] if len(ids) == 1 else "adopted (each host its own)"

    def or_back(self, outcome: Outcome, hosts: Iterable[str]) -> None:
        """Put every host back when one failed."""
        if outcome.bad:
            back = self.fleet.ask_each({name: {} for name in hosts}, "back")
            self.record({name: f"was lost in a switch: {why}" for name, why in back.bad.items()}, "", [])
            lost = [f"{name} by itself within a minute, the next run looks" for name in sorted(back.unreachable)]
            lost += [f"{name} is not: {why}" for name, why in sorted(back.failed.items())]
            except_for = f" ({'; '.join(lost)})" if lost else ""
            demand(outcome, f"every host is back on what it had{except_for}")

    def commit(self, release: Mapping[str, str]) -> Outcome:
        """Make the switch final. A host that is lost in this moment is recorded and levelled by the next run.

        All are recorded first: when this run is killed between two hosts, those that went back are known to be behind.
        """
        name = self.named(release)
        pending = [host for host in release if host not in self.behind]
        self.or_back(self.record(dict.fromkeys(pending, "was in a switch whose run ended"), name, []), release)
        done = self.fleet.ask_each({host: {"release_id": own} for host, own in release.items()}, "commit")
        self.missing |= {host: f"was lost in the switch: {why}" for host, why in done.bad.items()}
        recorded = self.record(self.missing, name, [host for host in pending if host in done.results])
        if done.bad and not self.target.allow_missing:
            lost = "; ".join(f"{host} {self.missing[host]}" for host in sorted(done.bad))
            told = "not recorded, for the scheduler host is lost too" if recorded.bad else "recorded as behind"
            raise ReleaseError(f"{name} is live, but {lost}; {told}, repeat the command to level it.")
        return done

    def record(self, lost: Mapping[str, str], release: str, level: Iterable[str]) -> Outcome:
        """Record hosts as behind on the scheduler host, and strike out those that are level."""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        add = {name: {"release": release, "since": since, "why": why} for name, why in lost.items()}
        remove = [name for name in level if name in self.behind]
        if not (add or remove):
            return Outcome()
        answer = self.fleet.ask([self.target.scheduler], "behind", add=add, remove=remove)
        if self.target.scheduler.name in answer.results:
            self.behind = answer.results[self.target.scheduler.name]["behind"]
        return answer

    def left_out_notes(self, release: str) -> list[str]:
        """Return which hosts, among those that the limit leaves out, run something else."""
        self.fleet.open(self.target.left_out)
        seen = self.fleet.ask(self.target.left_out, "look")
        differ = [name for name, result in seen.results.items() if result["live"] != release]
        names = sorted([*differ, *seen.bad])
        said = f"The limit leaves out {', '.join(names)}: not on {release} until this playbook runs there too."
        return [said] if names else []

    def level(self, release: str) -> list[str]:
        """Strike the hosts that are level now off the record, and let workers that caught up work again."""
        level = [host.name for host in self.hosts if host.name not in self.missing]
        self.record({name: why for name, why in self.missing.items() if name not in self.behind}, release, level)
        return quarantine.leave(host for host in self.target.first if host.name in self.quarantined & {*level})
