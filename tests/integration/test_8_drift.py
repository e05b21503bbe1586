"""Drift of the built cluster: none, and one that a test planted, found, written and looked at in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.day2 import WORKER, play
from tests.integration.ops import Ops

ONLY_WARNINGS = 7
ARTIFACTS = REPOSITORY / "artifacts"


@pytest.fixture(autouse=True)
def nothing_died(cluster: Cluster) -> None:
    cluster.forget_ends()


@pytest.fixture
def stray(cluster: Cluster) -> Iterator[None]:
    """Let one worker differ from the others in one thing that no other test reads."""
    home = "$(getent passwd airflow | cut -d: -f6)/airflow"
    cluster.ssh(WORKER, f"sudo -u airflow mkdir {home} && sudo -u airflow touch {home}/airflow.cfg")
    yield
    cluster.ssh(WORKER, f"sudo rm -r {home}")


def test_no_drift_on_a_healthy_cluster(cluster: Cluster) -> None:
    said = play(cluster, "drift", {"drift_fail_on": "warning"}, "-l", f"{cluster.scheduler},{WORKER}")
    assert re.search(rf"{WORKER}( +ok){{10}}", said), said
    assert "changed=1" not in said


def test_a_planted_difference_is_found_and_readable_in_a_browser(
    cluster: Cluster, stray: None, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    page, data = tmp_path / "drift.html", tmp_path / "drift.json"
    drift = ("drift", "--html", str(page), "--report", str(data), "-l", f"{cluster.scheduler},{WORKER}")
    result = Ops(cluster, tmp_path / "state")(*drift, code=ONLY_WARNINGS)
    assert "the worst of it of severity warning" in result["reasons"][0]
    report = json.loads(data.read_text())
    assert report["worst"] == "warning"
    bad = {(host, check) for host, cells in report["hosts"].items() for check in cells if cells[check]["details"]}
    assert bad == {(WORKER, "stray")}
    kept = [path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert kept
    secrets_of_the_cluster = [value for value in cluster.secrets().values() if isinstance(value, str)]
    assert not any(
        value in text for value in secrets_of_the_cluster for text in (page.read_text(), data.read_text(), *kept)
    )
    assert "http" not in page.read_text(), "the page needs something from elsewhere"
    browser.get(page.as_uri())
    looks = {(width, scheme): look(browser, width, scheme) for width in (390, 1300) for scheme in ("light", "dark")}
    for (width, scheme), (needed, background, seen) in looks.items():
        assert needed <= width, f"{width} {scheme}: the page is wider than the window"
        assert "airflow/airflow.cfg would be taken" in seen
        assert background == looks[1300, scheme][1]
    assert looks[390, "light"][1] != looks[390, "dark"][1]
    warning = browser.find_element(By.CSS_SELECTOR, f"td.warning a[href='#{WORKER}-stray']")
    assert warning.text == "! 1 differs"
    assert browser.find_element(By.ID, f"{WORKER}-stray").is_displayed()


def look(browser: webdriver.Chrome, width: int, scheme: str) -> tuple[int, str, str]:
    """Return the width that the page needs, its background and what can be read on it; keep a picture."""
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    ARTIFACTS.mkdir(exist_ok=True)
    browser.save_screenshot(str(ARTIFACTS / f"drift_{width}_{scheme}.png"))
    needed, background = browser.execute_script(
        "return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
    )
    return needed, background, browser.find_element(By.TAG_NAME, "body").text
