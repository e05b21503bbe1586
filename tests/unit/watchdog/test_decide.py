"""What the watchdog decides, as tables."""

import pytest
from airflow_watchdog.decide import (
    Policy,
    Probe,
    Progress,
    Seen,
    State,
    Suspect,
    decide,
    judge,
    stall,
    wait_before_restart,
)

POLICY = Policy(strikes=3, grace=60, backoff=60, max_restarts=4, stall=600, report_after=120, max_mails=6)
FRESH = Probe("active", uptime=900, heartbeat="fresh", source="health page")
HUNG = Probe("active", uptime=900, heartbeat="stale", source="health page", age=41, database="up")
DEAD = Probe("failed", database="up")
NOW = 10_000.0
FAR = Suspect(7, 500.0, "that of dn01p writes heartbeats", here=False)
NEAR = FAR._replace(job=8, text="that of mn02p writes heartbeats", here=True)
BY_HAND = ("process 4711 of root since noon (airflow scheduler)",)
FIRST = State()


@pytest.mark.parametrize(
    ("probe", "verdict"),
    [
        pytest.param(FRESH, "healthy", id="fresh heartbeat"),
        pytest.param(FRESH._replace(uptime=1), "healthy", id="fresh heartbeat right after the start"),
        pytest.param(HUNG, "hung", id="active with a stale heartbeat"),
        pytest.param(HUNG._replace(uptime=59), "starting", id="stale within the grace period"),
        pytest.param(HUNG._replace(uptime=60), "hung", id="stale when the grace period ends"),
        pytest.param(
            HUNG._replace(database="unknown"), "hung", id="a page that says 503 needs no database to be believed"
        ),
        pytest.param(HUNG._replace(database="down"), "database down", id="stale without database"),
        pytest.param(HUNG._replace(uptime=5, database="down"), "database down", id="starting without database"),
        pytest.param(HUNG._replace(suspects=(FAR,)), "runs elsewhere", id="stale while another host schedules"),
        pytest.param(HUNG._replace(heartbeat="unknown"), "not to be seen", id="nobody can be asked"),
        pytest.param(DEAD, "dead", id="systemd gave up"),
        pytest.param(DEAD._replace(unit="inactive"), "dead", id="stopped"),
        pytest.param(
            DEAD._replace(heartbeat="fresh"), "dead", id="the row of a killed process stays fresh for a while"
        ),
        pytest.param(DEAD._replace(database="down"), "database down", id="dead without database"),
        pytest.param(DEAD._replace(database="unknown"), "dead", id="dead, and nothing known about the database"),
        pytest.param(DEAD._replace(suspects=(FAR,)), "runs elsewhere", id="dead while another host schedules"),
        pytest.param(DEAD._replace(others=BY_HAND), "runs elsewhere", id="dead while somebody started one by hand"),
        pytest.param(HUNG._replace(others=BY_HAND), "runs elsewhere", id="hung beside one that was started by hand"),
        pytest.param(
            DEAD._replace(others=BY_HAND, database="down"), "runs elsewhere", id="started by hand, without database"
        ),
        pytest.param(DEAD._replace(suspects=(NEAR,)), "still fresh", id="a fresh row of this host and no process"),
        pytest.param(HUNG._replace(suspects=(NEAR,)), "hung", id="the row of the one before, while this one hangs"),
        pytest.param(DEAD._replace(unit="activating"), "changing", id="systemd starts it"),
        pytest.param(
            DEAD._replace(unit="activating", database="down"), "database down", id="again and again, without one"
        ),
        pytest.param(DEAD._replace(unit="deactivating"), "changing", id="systemd stops it"),
        pytest.param(DEAD._replace(fenced=True), "not watched", id="masked or fenced"),
        pytest.param(Probe("missing", heartbeat="fresh"), "healthy", id="another manager's service, fresh"),
        pytest.param(Probe("missing", heartbeat="stale"), "hung", id="another manager's service, stale"),
    ],
)
def test_judge(probe: Probe, verdict: str) -> None:
    assert judge(probe, POLICY)[0] == verdict


def test_a_standby_is_not_watched() -> None:
    assert judge(DEAD, POLICY._replace(watched=False))[0] == "not watched"


def once(*probes: Probe, state: State = FIRST, pause: str = "", now: float = NOW) -> tuple[str, str, str]:
    """Return action, verdict and what is told."""
    decision = decide(Seen(probes, pause=pause), state, POLICY, now)
    return decision.action, decision.verdict, decision.tell


@pytest.mark.parametrize(
    ("probes", "outcome"),
    [
        pytest.param([FRESH], ("none", "healthy", ""), id="healthy at the first look"),
        pytest.param([HUNG], ("probe", "hung", ""), id="one strike"),
        pytest.param([HUNG, HUNG], ("probe", "hung", ""), id="two strikes"),
        pytest.param([HUNG, HUNG, HUNG], ("restart", "hung", "restarted"), id="three strikes"),
        pytest.param([HUNG, DEAD, DEAD], ("restart", "dead", "restarted"), id="dead counts like hung"),
        pytest.param([HUNG, HUNG, FRESH], ("none", "healthy", ""), id="healthy again in the end"),
        pytest.param([HUNG, FRESH, HUNG], ("probe", "hung", ""), id="strikes must follow each other"),
        pytest.param([DEAD, DEAD, DEAD._replace(unit="activating")], ("none", "changing", ""), id="somebody starts it"),
        pytest.param([HUNG._replace(database="down")], ("none", "database down", ""), id="no database"),
    ],
)
def test_strikes(probes: list[Probe], outcome: tuple[str, str, str]) -> None:
    assert once(*probes) == outcome


def test_checks_that_run_over_time_act_together() -> None:
    first = decide(Seen((HUNG,), over=True), State(), POLICY, NOW)
    assert (first.action, first.verdict, first.state.strikes) == ("none", "over time", 1)
    second = decide(Seen((HUNG,), over=True), first.state, POLICY, NOW + 60)
    assert (second.action, second.state.strikes) == ("none", 2)
    third = decide(Seen((HUNG,)), second.state, POLICY, NOW + 120)
    assert (third.action, third.tell, third.state.strikes) == ("restart", "restarted", 0)


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(Seen((FRESH,)), id="healthy"),
        pytest.param(Seen((HUNG._replace(uptime=5),)), id="somebody restarted it"),
        pytest.param(Seen((HUNG,), pause="paused"), id="paused"),
    ],
)
def test_strikes_of_earlier_checks_end_with_a_better_look(between: Seen) -> None:
    state = decide(Seen((HUNG, HUNG), over=True), State(), POLICY, NOW).state
    assert state.strikes == 2
    assert decide(between, state, POLICY, NOW + 60).state.strikes == 0
    assert once(FRESH, HUNG, state=state)[0] == "probe"


def test_checks_that_see_nothing_in_time_are_told_when_that_lasts() -> None:
    nothing = Seen((), over=True)
    first = decide(nothing, State(), POLICY, NOW)
    assert (first.action, first.verdict, first.tell) == ("none", "nothing seen", "")
    lasting = decide(nothing, first.state, POLICY, NOW + 120)
    assert (lasting.action, lasting.tell) == ("none", "trouble")
    assert decide(nothing._replace(pause="paused"), first.state, POLICY, NOW + 120).verdict == "paused"


@pytest.mark.parametrize("probe", [HUNG, DEAD, DEAD._replace(database="down")])
def test_a_pause_holds_everything(probe: Probe) -> None:
    assert once(probe, probe, probe, pause="paused by admin until noon (upgrade)") == ("none", "paused", "")


def test_a_pause_says_who_and_why() -> None:
    decision = decide(Seen((DEAD,), pause="paused by admin until noon (upgrade)"), State(), POLICY, NOW)
    assert decision.message == "the unit is failed; left alone, paused by admin until noon (upgrade)"


@pytest.mark.parametrize(
    ("restarts", "wait"),
    [
        pytest.param((), 0, id="the first one at once"),
        pytest.param((NOW - 59,), 1, id="a minute after the first"),
        pytest.param((NOW - 60,), 0, id="over"),
        pytest.param((NOW - 500, NOW - 60), 60, id="two minutes after the second"),
        pytest.param((NOW - 900, NOW - 500, NOW - 60), 180, id="four minutes after the third"),
    ],
)
def test_back_off(restarts: tuple[float, ...], wait: float) -> None:
    assert wait_before_restart(State(restarts=restarts), POLICY, NOW) == wait


def test_it_gives_up_after_the_limit_and_says_so_once() -> None:
    state = State(restarts=(NOW - 900, NOW - 800, NOW - 700, NOW - 600), since=NOW - 900, told=("restarted",))
    first = decide(Seen((DEAD, DEAD, DEAD)), state, POLICY, NOW)
    assert (first.action, first.verdict, first.tell) == ("none", "gave up", "gave up")
    again = decide(Seen((DEAD, DEAD, DEAD)), first.state, POLICY, NOW + 60)
    assert (again.action, again.verdict, again.tell) == ("none", "gave up", "")
    later = decide(Seen((DEAD, DEAD, DEAD)), first.state, POLICY, NOW - 900 + 3600)
    assert (later.action, later.tell) == ("restart", "")


def test_only_the_first_restart_of_a_trouble_is_told() -> None:
    first = decide(Seen((DEAD, DEAD, DEAD)), State(), POLICY, NOW)
    second = decide(Seen((DEAD, DEAD, DEAD)), first.state, POLICY, NOW + 120)
    assert (first.tell, second.action, second.tell) == ("restarted", "restart", "")


def test_recovery_is_told_once_and_not_before_the_grace_period() -> None:
    state = decide(Seen((DEAD, DEAD, DEAD)), State(), POLICY, NOW).state
    early = decide(Seen((FRESH,)), state, POLICY, NOW + 30)
    assert (early.verdict, early.tell) == ("healthy", "")
    settled = decide(Seen((FRESH,)), early.state, POLICY, NOW + 90)
    assert settled.tell == "recovered"
    assert "the trouble of 90 s is over" in settled.message
    assert decide(Seen((FRESH,)), settled.state, POLICY, NOW + 150).tell == ""


def test_a_trouble_that_a_restart_would_not_mend_is_told_when_it_lasts() -> None:
    down = Seen((DEAD._replace(database="down"),))
    first = decide(down, State(), POLICY, NOW)
    assert first.tell == ""
    lasting = decide(down, first.state, POLICY, NOW + 120)
    assert (lasting.action, lasting.tell) == ("none", "trouble")
    assert decide(down, lasting.state, POLICY, NOW + 180).tell == ""
    assert decide(Seen((FRESH,)), lasting.state, POLICY, NOW + 240).tell == "recovered"


def crash_loop(life: float, minutes: int, state: State = FIRST) -> tuple[list[str], State]:
    """Return what is told while systemd restarts a service each time it has lived for so long, and the state then."""
    told = []
    for minute in range(minutes):
        elapsed = minute * 60.0
        deaths, uptime = divmod(elapsed, life + 5)
        heartbeat = "fresh" if uptime > 12 else "unknown"
        probe = Probe("active", uptime=uptime, heartbeat=heartbeat, database="up", deaths=int(deaths))
        decision = decide(Seen((probe,)), state, POLICY, NOW + elapsed)
        assert decision.action == "none"
        state = decision.state
        told += [decision.tell] if decision.tell else []
    return told, state


@pytest.mark.parametrize("life", [26, 40, 59, 175])
def test_a_crash_loop_that_systemd_does_not_end_is_told_once_and_so_is_its_end(life: float) -> None:
    told, state = crash_loop(life, 15)
    assert told == ["trouble"]
    well = FRESH._replace(deaths=state.deaths)
    early = decide(Seen((well,)), state, POLICY, state.died[-1] + 599)
    assert (early.verdict, early.tell) == ("dies", "")
    over = decide(Seen((well,)), early.state, POLICY, state.died[-1] + 600)
    assert (over.verdict, over.tell, over.state.died) == ("healthy", "recovered", ())


def test_a_few_deaths_that_systemd_has_mended_are_not_told() -> None:
    assert crash_loop(1500, 60)[0] == []
    first = decide(Seen((FRESH._replace(deaths=7),)), State(), POLICY, NOW).state
    assert (first.deaths, first.died) == (7, ())  # what was before the first check is nothing new
    anew = decide(Seen((FRESH._replace(deaths=0),)), first, POLICY, NOW + 60).state
    assert anew.died == ()  # somebody started it, systemd counts from 0


def test_a_crash_loop_is_not_told_in_a_pause() -> None:
    state = State(deaths=3, died=(NOW - 300, NOW - 200, NOW - 100))
    assert once(FRESH._replace(deaths=4), state=state, pause="paused") == ("none", "healthy", "")
    assert once(FRESH._replace(deaths=4), state=state) == ("none", "dies", "trouble")


def test_a_short_trouble_that_nobody_heard_of_ends_silently() -> None:
    first = decide(Seen((DEAD._replace(database="down"),)), State(), POLICY, NOW)
    assert decide(Seen((FRESH,)), first.state, POLICY, NOW + 60).tell == ""


def test_never_more_messages_an_hour_than_allowed() -> None:
    state = State(mails=tuple(NOW - 60 * number for number in range(6, 0, -1)))
    decision = decide(Seen((DEAD, DEAD, DEAD)), state, POLICY, NOW)
    assert (decision.action, decision.tell) == ("restart", "")


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        pytest.param(Progress(), "", id="nothing to do"),
        pytest.param(Progress(scheduled=601, parsed=9), "due for 601 s", id="due, and nothing happens"),
        pytest.param(Progress(scheduled=599, parsed=9), "", id="not long enough"),
        pytest.param(Progress(scheduled=601, running=1), "", id="waits for a slot behind a running task"),
        pytest.param(Progress(scheduled=601, queued=5), "", id="waits for a slot behind a queued task"),
        pytest.param(Progress(ready=601, running=9), "although there is room", id="due, with room beside what runs"),
        pytest.param(Progress(scheduled=601, ready=599, running=1), "", id="there has been room only for a while"),
        pytest.param(Progress(queued=601), "no worker takes it", id="queued, and no worker takes it"),
        pytest.param(Progress(queued=601, running=2), "", id="workers are busy"),
        pytest.param(Progress(parsed=601), "no DAG was parsed for 601 s", id="no parsing"),
    ],
)
def test_stall(progress: Progress, said: str) -> None:
    assert stall(progress, POLICY) == said or (said and said in stall(progress, POLICY))


def test_a_stall_is_told_once_and_not_acted_upon() -> None:
    seen = Seen((FRESH,), Progress(scheduled=700))
    first = decide(seen, State(), POLICY, NOW)
    assert (first.action, first.verdict, first.tell) == ("none", "stalled", "stalled")
    unasked = decide(Seen((FRESH,)), first.state, POLICY, NOW + 60)
    assert (unasked.verdict, unasked.tell) == ("stalled", "")
    over = decide(Seen((FRESH,), Progress()), unasked.state, POLICY, NOW + 300)
    assert (over.verdict, over.state.stalled, over.state.told) == ("healthy", "", ())


def test_a_stall_is_acted_upon_where_that_is_wanted() -> None:
    policy = POLICY._replace(restart_when_stalled=True)
    seen = Seen((FRESH,), Progress(scheduled=700))
    assert decide(seen, State(), policy, NOW).action == "restart"
    assert decide(seen._replace(pause="paused"), State(), policy, NOW).verdict == "paused"
    second = Seen((FRESH._replace(others=BY_HAND),), Progress(scheduled=700))
    assert decide(second, State(), policy, NOW).action == "none"
    young = Seen((FRESH._replace(uptime=500),), Progress(scheduled=700))
    assert decide(young, State(), policy, NOW).action == "none"


def test_a_new_trouble_after_a_stall_is_told_again() -> None:
    state = State(stalled="a task is due", told=("stalled",))
    assert once(DEAD, DEAD, DEAD, state=state) == ("restart", "dead", "restarted")


def later(probe: Probe) -> Probe:
    """Return the look after one, in which every suspect has written a new heartbeat."""
    return probe._replace(suspects=tuple(each._replace(beat=each.beat + 5) for each in probe.suspects))


@pytest.mark.parametrize(
    ("probes", "outcome"),
    [
        pytest.param([FRESH._replace(others=BY_HAND)], ("none", "two schedulers", "second"), id="by its process"),
        pytest.param([FRESH._replace(suspects=(FAR,))], ("probe", "healthy", ""), id="a heartbeat may be a dead one's"),
        pytest.param(
            [FRESH._replace(suspects=(FAR,)), later(FRESH._replace(suspects=(FAR,)))],
            ("none", "two schedulers", "second"),
            id="a newer heartbeat is a live one's",
        ),
        pytest.param([FRESH._replace(suspects=(NEAR,))] * 3, ("none", "healthy", ""), id="the row of a killed one"),
    ],
)
def test_two_schedulers_are_told_and_neither_is_stopped(probes: list[Probe], outcome: tuple[str, str, str]) -> None:
    assert once(*probes) == outcome


def test_a_heartbeat_of_the_check_before_is_proof_enough() -> None:
    suspected = FRESH._replace(suspects=(FAR,))
    assert once(suspected, state=State(beats=((FAR.job, FAR.beat),)))[0] == "probe"
    assert once(suspected, state=State(beats=((FAR.job, FAR.beat - 60),))) == ("none", "two schedulers", "second")


def test_a_second_scheduler_is_told_once_and_again_when_it_comes_again() -> None:
    second = Seen((FRESH._replace(others=BY_HAND),))
    first = decide(second, State(), POLICY, NOW)
    assert BY_HAND[0] in first.message
    again = decide(second, first.state, POLICY, NOW + 60)
    assert (first.tell, again.verdict, again.tell) == ("second", "two schedulers", "")
    gone = decide(Seen((FRESH,)), again.state, POLICY, NOW + 120)
    assert (gone.verdict, decide(second, gone.state, POLICY, NOW + 180).tell) == ("healthy", "second")
    assert decide(second._replace(pause="paused"), State(), POLICY, NOW).tell == ""


def test_a_scheduler_by_hand_is_never_given_a_second_one_and_told_when_it_lasts() -> None:
    seen = Seen((DEAD._replace(others=BY_HAND),) * 3)
    first = decide(seen, State(), POLICY, NOW)
    assert (first.action, first.verdict, first.tell) == ("none", "runs elsewhere", "")
    lasting = decide(seen, first.state, POLICY, NOW + 120)
    assert (lasting.action, lasting.tell, BY_HAND[0] in lasting.message) == ("none", "trouble", True)


def test_the_row_of_a_killed_scheduler_is_waited_for_and_then_it_is_restarted_at_once() -> None:
    fading = DEAD._replace(suspects=(NEAR,))
    assert once(*[fading] * 9) == ("probe", "still fresh", "")
    assert once(*[fading] * 9, DEAD) == ("restart", "dead", "restarted")
    assert once(fading, later(fading)) == ("none", "still fresh", "")  # it lives, by a process that nobody knows
    over = decide(Seen((fading,) * 9, over=True), State(), POLICY, NOW)
    assert (over.action, over.verdict) == ("none", "still fresh")
