"""What to do about what was seen: pure, no clock, no file, no process.

All moments are seconds of the host's monotonic clock, so that a clock that jumps neither hurries nor holds a restart.
"""

from __future__ import annotations

from typing import NamedTuple

HOUR = 3600.0
# A service that dies and is started again by systemd is told when this many checks of an hour have seen it, and is well
# again when none has for so long.
LOOP_DEATHS = 3
LOOP_OVER = 600.0
RUNNING = ("active", "missing")
# systemd is at work by itself; whoever interferes makes it worse.
CHANGING = ("activating", "deactivating", "reloading")
# Restarting would not help, or would harm: only told.
REPORTED = ("database down", "runs elsewhere", "still fresh", "not to be seen", "nothing seen", "no log server")
# What is told of a healthy scheduler, and once more when it comes again.
LASTING = ("stalled", "second")
# Nothing is wrong, or it is too early to tell.
QUIET = ("not watched", "changing", "starting")


class Suspect(NamedTuple):
    """A fresh heartbeat in the database that no process of this host accounts for.

    It is of another host, of a scheduler whose process cannot be known here, or of one that was killed a moment ago.
    """

    job: int
    beat: float
    text: str  # who wrote it, where, since when
    here: bool  # on this host


class Probe(NamedTuple):
    """One look at the service."""

    unit: str  # systemd's ActiveState; "missing" where another manager has the service
    uptime: float | None = None  # seconds since the unit became active
    deaths: int | None = None  # after which systemd has started it again by itself, since somebody last started it
    fenced: bool = False  # masked, or left alone by a failover
    heartbeat: str = "unknown"  # fresh, stale or unknown
    source: str = "nobody"  # who told the heartbeat
    log_server: bool = True  # of a worker: whether it serves its logs
    age: float | None = None  # of the heartbeat, in seconds, where the source tells it
    database: str = "unknown"  # up, down or unknown
    others: tuple[str, ...] = ()  # schedulers of this host that are not the unit's, each in words
    suspects: tuple[Suspect, ...] = ()


class Progress(NamedTuple):
    """Does work go on? Ages in seconds, None where there is no such task or DAG."""

    scheduled: float | None = None  # the task that has been due, and not queued, for the longest time
    ready: float | None = None  # the same, of those for which pool, DAG and scheduler have room
    queued: float | None = None  # the task that no worker has taken for the longest time
    running: int = 0
    parsed: float | None = None  # the last DAG that was parsed


class Seen(NamedTuple):
    """All that one invocation has seen so far."""

    probes: tuple[Probe, ...]
    progress: Progress | None = None  # None when it was not asked
    pause: str = ""  # who paused the watchdog, why and until when; empty when nobody did
    over: bool = False  # the time of this invocation is up, there is no further look


class Policy(NamedTuple):
    """What the administrator wants; times in seconds."""

    watched: bool = True  # false on a standby
    strikes: int = 3
    grace: float = 60
    backoff: float = 60
    max_restarts: int = 4
    stall: float = 600
    restart_when_stalled: bool = False
    report_after: float = 120
    max_mails: int = 6


class State(NamedTuple):
    """What is remembered from one invocation to the next, until the host boots."""

    restarts: tuple[float, ...] = ()  # those of the last hour
    total: int = 0  # all restarts
    since: float | None = None  # when the trouble began that is not over yet
    told: tuple[str, ...] = ()  # what was told about that trouble
    mails: tuple[float, ...] = ()  # those of the last hour
    strikes: int = 0  # of checks that had no time for as many as a restart takes
    deaths: int | None = None  # those that the last check knew of
    died: tuple[float, ...] = ()  # when checks of the last hour saw that there were more
    beats: tuple[tuple[int, float], ...] = ()  # the first heartbeat of each job that nobody accounts for
    stalled: str = ""  # why no work goes on although the scheduler is healthy


class Decision(NamedTuple):
    """What to do now."""

    action: str  # none, probe (look again in a moment) or restart
    verdict: str
    message: str
    state: State
    tell: str = ""  # restarted, gave up, recovered, trouble or stalled: send a message


def decide(seen: Seen, state: State, policy: Policy, now: float) -> Decision:
    """Return what to do about what was seen."""
    state = _of_last_hour(state, now)
    if not seen.probes:
        return _sick(("nothing seen", "not even one look ended in time"), seen, state, policy, now)
    probe = seen.probes[-1]
    verdict, message = judge(probe, policy)
    state = _counted(state, probe, now)
    if _dies_again_and_again(state, policy, now) and verdict in ("healthy", "changing", "starting") and not seen.pause:
        message = f"it died again and again within {now - state.died[0]:.0f} s, and systemd starts it each time"
        state = state._replace(since=state.died[0] if state.since is None else state.since)
        return _told(Decision("none", "dies", message, state), policy, now, "trouble")
    if verdict == "healthy" or verdict in QUIET:
        state = state._replace(strikes=0)
    if verdict == "healthy":
        second = None if seen.pause else _second(seen, state, policy, now)
        if second:
            return second
        state = state._replace(stalled=stall(seen.progress, policy) if seen.progress else state.stalled)
        if not (state.stalled and _acts_on_stall(seen, policy)):
            return _healthy(state, policy, now, message)
        verdict, message = "stalled", state.stalled
    if verdict in QUIET:
        return Decision("none", verdict, message, state)
    return _sick((verdict, message), seen, state, policy, now)


def others(probes: tuple[Probe, ...], state: State) -> tuple[str, ...]:
    """Return the other schedulers that run for certain: by their process, or since they wrote between two looks."""
    earlier = {each.job: each.beat for probe in reversed(probes[:-1]) for each in probe.suspects} | dict(state.beats)
    wrote = (each.text for each in probes[-1].suspects if each.beat > earlier.get(each.job, each.beat))
    return (*probes[-1].others, *wrote)


def _second(seen: Seen, state: State, policy: Policy, now: float) -> Decision | None:
    """Return what to do about a second scheduler; a person decides which one to stop. None when there is none."""
    second = others(seen.probes, state)
    if second:
        message = (
            f"another scheduler runs beside the unit: {', '.join(second)}; both queue the same tasks, end that one"
        )
        return _told(Decision("none", "two schedulers", message, state), policy, now, "second")
    if seen.probes[-1].suspects and len(seen.probes) < policy.strikes and not seen.over:
        return Decision("probe", "healthy", "a heartbeat belongs to nobody", state)
    return None


def _sick(judged: tuple[str, str], seen: Seen, state: State, policy: Policy, now: float) -> Decision:
    verdict, message = judged
    if seen.pause:
        return Decision("none", "paused", f"{message}; left alone, {seen.pause}", state._replace(strikes=0))
    state = state._replace(since=now if state.since is None else state.since)
    if verdict == "still fresh" and not seen.over and not others(seen.probes, state):
        return Decision("probe", verdict, message, state)  # until the heartbeat is too old, or a newer one is written
    if verdict in REPORTED:
        return _told(Decision("none", verdict, message, state), policy, now, "trouble")
    strikes = _strikes(seen.probes, policy)
    # Those of earlier checks go on counting as long as no look in between was a better one.
    strikes += state.strikes if strikes == len(seen.probes) else 0
    if verdict == "stalled" or strikes >= policy.strikes:
        return _restart(verdict, message, state._replace(strikes=0), policy, now)
    if not seen.over:
        return Decision("probe", verdict, message, state)
    message = f"{message}; the check took too long to look again"
    return _told(Decision("none", "over time", message, state._replace(strikes=strikes)), policy, now, "trouble")


def judge(probe: Probe, policy: Policy) -> tuple[str, str]:
    """Return the verdict on one look, and the reason as a sentence without its full stop."""
    if not policy.watched:
        return "not watched", "this host is the standby"
    if probe.fenced:
        return "not watched", "the unit is masked or fenced"
    if probe.unit in CHANGING and probe.database != "down":  # which systemd would try for ever
        return "changing", f"the unit is {probe.unit}, systemd is at work"
    if probe.unit in RUNNING and probe.heartbeat == "fresh":
        if not probe.log_server:
            return "no log server", "it answers, but nobody can read the logs of its tasks on port 8793"
        return "healthy", f"the heartbeat is fresh ({probe.source})"
    return _judge_sick(probe, policy)


def _judge_sick(probe: Probe, policy: Policy) -> tuple[str, str]:
    elsewhere = (*probe.others, *(each.text for each in probe.suspects if not each.here))
    if elsewhere:
        return "runs elsewhere", f"another scheduler runs: {', '.join(elsewhere)}; two would queue tasks twice"
    if probe.database == "down":
        return "database down", "the metadata database does not answer, a restart would not help"
    if probe.uptime is not None and probe.uptime < policy.grace:
        return "starting", f"the unit is active for {probe.uptime:.0f} s, it gets {policy.grace:.0f} s to start"
    if probe.unit not in RUNNING:
        return _judge_dead(probe)
    if probe.heartbeat == "stale":
        age = "" if probe.age is None else f", {probe.age:.0f} s old"
        return "hung", f"the unit is active and the heartbeat is stale ({probe.source}{age})"
    return "not to be seen", f"nobody can be asked whether it lives, the last one was {probe.source}"


def _judge_dead(probe: Probe) -> tuple[str, str]:
    if not probe.suspects:
        return "dead", f"the unit is {probe.unit}"
    who = f"{probe.suspects[0].text}, by no process that is seen"
    return "still fresh", f"the unit is {probe.unit}, but {who}; it may have been killed just now"


def stall(progress: Progress, policy: Policy) -> str:
    """Say what is wrong although the scheduler is healthy; empty when nothing is.

    A task that waits for a slot while others run is nobody's fault.
    """
    if not progress.running and (progress.scheduled or 0) > policy.stall and not progress.queued:
        return f"a task is due for {progress.scheduled:.0f} s, nothing runs and nothing is queued"
    if (progress.ready or 0) > policy.stall:
        return f"a task is due for {progress.ready:.0f} s, and nobody queues it although there is room"
    if not progress.running and (progress.queued or 0) > policy.stall:
        return f"a task is queued for {progress.queued:.0f} s and nothing runs, no worker takes it"
    if (progress.parsed or 0) > policy.stall:
        return f"no DAG was parsed for {progress.parsed:.0f} s"
    return ""


def _counted(state: State, probe: Probe, now: float) -> State:
    """Return the state with the death that systemd has answered since the last check."""
    if probe.deaths is None:
        return state
    more = state.deaths is not None and probe.deaths > state.deaths
    return state._replace(deaths=probe.deaths, died=(*state.died, now) if more else state.died)


def _dies_again_and_again(state: State, policy: Policy, now: float) -> bool:
    """Say whether systemd starts the service in a loop that is too slow for systemd's own limit."""
    if len(state.died) < LOOP_DEATHS or now - state.died[-1] >= LOOP_OVER:
        return False
    return now - state.died[0] >= policy.report_after


def wait_before_restart(state: State, policy: Policy, now: float) -> float:
    """Return the seconds until the next restart is allowed: each of an hour waits twice as long as the one before."""
    if not state.restarts:
        return 0
    return max(0.0, state.restarts[-1] + policy.backoff * 2.0 ** (len(state.restarts) - 1) - now)


def _acts_on_stall(seen: Seen, policy: Policy) -> bool:
    """Say whether a stall is a reason to restart: as wanted, just seen, and not within the time that shows it."""
    if not (policy.restart_when_stalled and seen.progress):
        return False
    return (seen.probes[-1].uptime or 0) > policy.stall


def _restart(verdict: str, message: str, state: State, policy: Policy, now: float) -> Decision:
    if len(state.restarts) >= policy.max_restarts:
        helped = f"{len(state.restarts)} restarts within an hour did not help, so it is left alone"
        message = f"{message}; {helped if policy.max_restarts else 'the watchdog does not restart it'}"
        return _told(Decision("none", "gave up", message, state), policy, now, "gave up")
    wait = wait_before_restart(state, policy, now)
    if wait:
        return Decision("none", verdict, f"{message}; the next restart is due in {wait:.0f} s", state)
    state = state._replace(restarts=(*state.restarts, now), total=state.total + 1)
    return _told(Decision("restart", verdict, f"{message}; it is restarted", state), policy, now, "restarted")


def _healthy(state: State, policy: Policy, now: float, message: str) -> Decision:
    # A service that dies at every start is healthy for a moment, too.
    if state.since is not None and (not state.restarts or now - state.restarts[-1] >= policy.grace):
        message = f"{message}; the trouble of {now - state.since:.0f} s is over"
        decision = Decision("none", "healthy", message, state._replace(since=None, told=(), died=()))
        return _told(decision, policy, now, "recovered", remember=False) if state.told else decision
    if state.stalled:
        return _told(Decision("none", "stalled", state.stalled, state), policy, now, "stalled")
    return Decision(
        "none", "healthy", message, state._replace(told=tuple(each for each in state.told if each not in LASTING))
    )


def _told(decision: Decision, policy: Policy, now: float, kind: str, remember: bool = True) -> Decision:
    """Return a decision that is also told: once in each trouble, and never more messages an hour than allowed."""
    state = decision.state
    early = kind == "trouble" and now - (state.since or 0) < policy.report_after
    if early or kind in state.told or len(state.mails) >= policy.max_mails:
        return decision
    told = (*state.told, kind) if remember else state.told
    return decision._replace(tell=kind, state=state._replace(told=told, mails=(*state.mails, now)))


def _strikes(probes: tuple[Probe, ...], policy: Policy) -> int:
    count = 0
    for probe in reversed(probes):
        if judge(probe, policy)[0] not in ("dead", "hung", "still fresh"):
            break
        count += 1
    return count


def _of_last_hour(state: State, now: float) -> State:
    return state._replace(
        restarts=tuple(moment for moment in state.restarts if now - moment < HOUR),
        died=tuple(moment for moment in state.died if now - moment < HOUR),
        mails=tuple(moment for moment in state.mails if now - moment < HOUR),
    )
