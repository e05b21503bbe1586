"""The watchdog on a host of a cluster, as the fault tests use it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lab.airflow_cluster import Cluster

UNIT = "airflow-scheduler"
DOOR = "sudo -u airflow sh /usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh"
CONFIG = "/etc/airflow/watchdog.json"
STATE = "/run/airflow-watchdog"
KEPT = "/var/lib/airflow-ops/watchdog"
# Other limits than an administrator's, so that a test of what the limits do takes seconds.
SHORT = {"strikes": 2, "grace": 20, "backoff": 0, "max_restarts": 20, "max_mails": 50}


@dataclass(frozen=True)
class Watchdog:
    """The watchdog and the unit that it watches."""

    cluster: Cluster
    host: str = ""  # the scheduler's, unless named
    unit: str = UNIT

    def sh(self, command: str, check: bool = True) -> str:
        """Run a command on the host and return what it says."""
        return self.cluster.ssh(self.host or self.cluster.scheduler, command, check=check).stdout.strip()

    def check(self, prefix: str = "") -> str:
        """Run one check, as cron does, and return its verdict."""
        self.sh(f"{prefix}{DOOR}")
        return str(self.last()["verdict"])

    def last(self) -> dict[str, Any]:
        """Return what the last check wrote."""
        return dict(json.loads(self.sh(f"sudo cat {STATE}/state.json 2>/dev/null || echo '{{}}'")))

    def restarts(self) -> int:
        """Return how often the watchdog has restarted the unit since its state was cleared."""
        return int(self.last().get("state", {}).get("total", 0))

    def clear(self) -> None:
        """Forget state, history and messages."""
        self.sh(f"sudo sh -c 'rm -rf {STATE}/state.json {STATE}/outbox/* {KEPT}/history.jsonl {KEPT}/pause.json'")

    def history(self) -> list[dict[str, Any]]:
        """Return what the watchdog wrote down."""
        return [json.loads(line) for line in self.sh(f"cat {KEPT}/history.jsonl || true").splitlines()]

    def told(self, kind: str) -> list[str]:
        """Return all messages of a kind about the unit, from the journal; kinds as in docs/watchdog.md (04)."""
        fields = f"AIRFLOW_UNIT={self.unit}.service MESSAGE_ID=6d1f0a1be9c84a4e9a8a1c27c4f6a1{kind}"
        return self.sh(f"sudo journalctl -q -o cat {fields}").splitlines()

    def pid(self) -> str:
        """Return the main process, 0 for none."""
        return self.sh(f"systemctl show -P MainPID {self.unit}")

    def uptime(self) -> float:
        """Return for how many seconds the unit is active."""
        show = f"systemctl show -P ActiveEnterTimestampMonotonic {UNIT}"
        return float(self.sh(f'python3 -c "import time; print(time.monotonic() - $({show}) / 1e6)"'))

    def state(self) -> str:
        """Return the state of the unit."""
        return self.sh(f"systemctl show -P ActiveState {self.unit}")

    def healthy(self) -> bool:
        """Say whether the unit is active and its own page is content."""
        page = "python3 -c 'import urllib.request as u; u.urlopen(\"http://localhost:8974/health\", timeout=3)'"
        return (
            self.cluster.ssh(self.cluster.scheduler, f"systemctl is-active -q {UNIT} && {page}", check=False).returncode
            == 0
        )

    def wait_until_healthy(self, other_than: str = "", seconds: float = 180) -> None:
        """Wait until the scheduler is healthy, in another process than the given one."""
        wait(lambda: self.healthy() and self.pid() != other_than, seconds, f"{UNIT} is not healthy")

    @contextmanager
    def limits(self, **changes: Any) -> Iterator[None]:
        """Let the configuration of this host differ for a moment; keys of the policy count as such."""
        before = self.sh(f"cat {CONFIG}")
        config = json.loads(before)
        for key, value in changes.items():
            (config["policy"] if key in config["policy"] else config)[key] = value
        self._write(json.dumps(config))
        try:
            yield
        finally:
            self._write(before + "\n")

    def _write(self, text: str) -> None:
        self.cluster.ssh(self.host or self.cluster.scheduler, f"sudo tee {CONFIG} >/dev/null", stdin=text)

    @contextmanager
    def unit_with(self, lines: str) -> Iterator[None]:
        """Give the unit other settings for a moment."""
        text, drop_in = shlex.quote(lines), f"/run/systemd/system/{self.unit}.service.d"
        self.sh(
            f"sudo mkdir -p {drop_in} && printf {text} | sudo tee {drop_in}/fault.conf && sudo systemctl daemon-reload"
        )
        try:
            yield
        finally:
            undo = f"sudo rm -rf {drop_in}; sudo systemctl daemon-reload; sudo systemctl reset-failed {self.unit}"
            self.sh(undo, check=False)


def wait(condition: Callable[[], bool], seconds: float, otherwise: str) -> float:
    """Wait until a condition holds and return how long that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"{otherwise} after {seconds:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - start
