"""Whatever happens, in whatever order: the promises of the decision hold."""

from airflow_watchdog.decide import (
    HOUR,
    Decision,
    Policy,
    Probe,
    Seen,
    State,
    Suspect,
    decide,
    judge,
    wait_before_restart,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

HEALTHY = Probe("active", uptime=5000, heartbeat="fresh")
BAD = {"dead": Probe("failed", database="up"), "hung": Probe("active", uptime=5000, heartbeat="stale", database="up")}
PROBES = st.builds(
    Probe,
    unit=st.sampled_from(["active", "failed", "inactive", "activating", "deactivating", "missing"]),
    uptime=st.one_of(st.none(), st.floats(0, 10_000)),
    deaths=st.one_of(st.none(), st.integers(0, 20)),
    fenced=st.booleans(),
    heartbeat=st.sampled_from(["fresh", "stale", "unknown"]),
    database=st.sampled_from(["up", "down", "unknown"]),
    others=st.sampled_from([(), ("process 4711 of root",)]),
    suspects=st.sampled_from([(), (Suspect(1, 5.0, "that of mn01p", here=False),)]),
)
POLICIES = st.builds(
    Policy,
    watched=st.just(True),
    strikes=st.integers(1, 4),
    grace=st.integers(0, 300),
    backoff=st.integers(0, 600),
    max_restarts=st.integers(1, 5),
    report_after=st.integers(0, 300),
    max_mails=st.integers(0, 8),
)


class Watchdog(RuleBasedStateMachine):
    """Invocations as cron makes them, with a model of what was done."""

    @initialize(policy=POLICIES)
    def begin(self, policy: Policy) -> None:
        self.policy, self.state, self.now = policy, State(), 1000.0
        self.restarts: list[float] = []
        self.messages: list[float] = []
        self.told_since_health: list[str] = []
        self.paused = False

    def invoke(self, look: Probe) -> Decision:
        """Look until there is a decision, as one invocation does."""
        probes: tuple[Probe, ...] = ()
        while True:
            probes = (*probes, look)
            before = self.state
            decision = decide(Seen(probes, pause="paused" if self.paused else ""), before, self.policy, self.now)
            if decision.action != "probe":
                break
            assert len(probes) < self.policy.strikes
            self.now += 5
        self.state = decision.state
        if decision.action == "restart":
            assert not (look.others or look.suspects)
            assert not self.paused
            assert len(probes) >= self.policy.strikes
            self.restarts.append(self.now)
        if decision.tell:
            self.messages.append(self.now)
            self.told_since_health.append(decision.tell)
        if self.state.since is None:  # the trouble is over, whether or not a message was left to say so
            self.told_since_health.clear()
        return decision

    @rule(seconds=st.integers(1, int(2 * HOUR)))  # whole ones: sums of others depend on their order
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def a_minute_passes(self) -> None:
        self.now += 60

    @rule(paused=st.booleans())
    def an_admin_pauses_or_resumes(self, paused: bool) -> None:
        self.paused = paused

    @rule(look=PROBES)
    def anything_is_seen(self, look: Probe) -> None:
        decision = self.invoke(look)
        if decision.action == "restart":
            assert judge(look, self.policy)[0] in ("dead", "hung")

    @rule()
    def it_is_healthy(self) -> None:
        assert self.invoke(HEALTHY).action == "none"

    @precondition(lambda self: not self.paused)
    @rule(kind=st.sampled_from(sorted(BAD)))
    def it_is_dead_or_hangs_and_a_restart_is_due(self, kind: str) -> None:
        look = BAD[kind]
        acts_at = self.now + 5 * (self.policy.strikes - 1)
        recent = tuple(moment for moment in self.restarts if acts_at - moment < HOUR)
        allowed = len(recent) < self.policy.max_restarts
        due = allowed and not wait_before_restart(State(restarts=recent), self.policy, acts_at)
        assert (self.invoke(look).action == "restart") == due

    @invariant()
    def never_more_restarts_an_hour_than_allowed(self) -> None:
        for moment in getattr(self, "restarts", []):
            within = [each for each in self.restarts if 0 <= each - moment < HOUR]
            assert len(within) <= self.policy.max_restarts

    @invariant()
    def never_more_messages_an_hour_than_allowed(self) -> None:
        for moment in getattr(self, "messages", []):
            within = [each for each in self.messages if 0 <= each - moment < HOUR]
            assert len(within) <= self.policy.max_mails

    @invariant()
    def nobody_is_told_twice_in_one_trouble(self) -> None:
        told = getattr(self, "told_since_health", [])
        assert len(told) == len(set(told))


Watchdog.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestWatchdog = Watchdog.TestCase
