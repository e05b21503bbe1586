"""The cluster of the lab's prod hosts, built once for all integration tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver

from lab.airflow_cluster import Cluster
from tests.integration.recap import changed_by_host, changing_tasks

WATCH_PAUSE = 0.1  # seconds between two looks at all processes
BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--window-size=1400,1000",
]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the cluster that test_1_site.py has built."""
    return Cluster.named("prod")


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Return Debian's Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@dataclass(frozen=True)
class SecondRun:
    """A run of site.yml on the finished cluster, as verbose as can be, and the processes that were seen meanwhile."""

    changed: dict[str, int]
    changing_tasks: list[str]
    output: str
    processes: list[str]


@pytest.fixture(scope="session")
def second_run(cluster: Cluster) -> SecondRun:
    """Return one such run; it takes minutes, so all tests share it."""
    with watched_processes() as processes:
        run = cluster.playbook("site.yml", "-vvv", "--diff")
    return SecondRun(changed_by_host(run), changing_tasks(run), run.stdout + run.stderr, processes)


def command_lines() -> Iterator[str]:
    """Yield the command line of each process of this machine."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue


@contextmanager
def watched_processes() -> Iterator[list[str]]:
    """Collect the command lines of all processes, of the controller and of all hosts (they share one kernel)."""
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(WATCH_PAUSE):
            seen.update(command_lines())

    thread = threading.Thread(target=watch)
    thread.start()
    lines: list[str] = []
    try:
        yield lines
    finally:
        stop.set()
        thread.join()
        lines += sorted(seen)
