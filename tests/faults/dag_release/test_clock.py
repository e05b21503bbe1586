"""The clock of one host is an hour wrong, for every process on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.dag_release.fleet import Fleet

# Hosts of the lab share the clock of this machine, so what a host's processes read of it is shifted.
SOURCE = """
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += SHIFT;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec, now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    return now ? (*now = exact.tv_sec) : exact.tv_sec;
}
"""
LIBRARY = "opt/clock.so"


@pytest.fixture(params=[("x03", 3600), ("x01", 3600), ("x01", -3600)], ids=lambda wrong: f"{wrong[0]} {wrong[1]:+} s")
def host(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Iterator[str]:
    """Shift the clock of a host."""
    host, shift = request.param
    library, preload = fleet.root(host) / LIBRARY, fleet.root(host) / "etc/ld.so.preload"
    (tmp_path / "clock.c").write_text(SOURCE)
    flags = ["-shared", "-fPIC", "-O1", f"-DSHIFT=({shift})"]
    subprocess.run(["gcc", *flags, "-o", library, tmp_path / "clock.c"], check=True)
    seconds = "python3 -c 'import time; print(int(time.time()))'"
    preload.write_text(f"/{LIBRARY}\n")
    try:
        right, wrong = (int(fleet.cluster.ssh(name, seconds).stdout) for name in ("x02", host))
        assert abs(wrong - right - shift) < 60
        yield host
    finally:
        preload.unlink()


def test_a_clock_that_is_an_hour_wrong_matters_to_nothing(fleet: Fleet, host: str) -> None:
    before = fleet.live()
    fleet.deliver_well()
    assert before["x02"] != fleet.live_on("x02")
    again = fleet.deliver()
    assert again.process.returncode == 0, again.output
    assert "changed=1" not in again.text
    assert not (fleet.root("x01") / "var/lib/airflow-ops/locks/dag_release.json").exists()
