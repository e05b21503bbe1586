"""Settings to the text of airflow.cfg, the manual's names to settings, settings to digests."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from airflow_ops.airflow_cfg import digests, parameters, render, texts
from filter_plugins.airflow_cfg import airflow_cfg
from filter_plugins.airflow_cfg_digests import airflow_cfg_digests
from filter_plugins.airflow_cfg_parameters import airflow_cfg_parameters

GOLDEN = Path(__file__).parent / "golden" / "airflow.cfg"
SETTINGS: dict[str, dict[str, Any] | None] = {
    "smtp": {"smtp_starttls": True, "smtp_user": None, "smtp_port": 25},
    "database": {"sql_alchemy_conn": "mysql+mysqldb://airflow:p%25%40@mn01p:3306/airflow?charset=utf8mb4"},
    "logging": {"logging_level": "INFO", "log_format": "[%(asctime)s] %(message)s"},
    "metrics": None,
    "sentry": {"sentry_on": None},
    "core": {"load_examples": False, "default_task_retries": 0, "note": "a # b ; c = d: e", "parallelism": 8},
    "celery": {"worker_autoscale": "", "queues": ["dn01p", "한글"], "options": {"b": 1, "a": None}},
}


def read(text: str) -> dict[str, dict[str, str]]:
    parser = ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_text_is_the_golden_file() -> None:
    assert render(SETTINGS) == GOLDEN.read_text(encoding="utf-8")


def test_order_of_the_data_does_not_matter() -> None:
    turned = {section: dict(reversed((options or {}).items())) for section, options in reversed(SETTINGS.items())}
    assert render(turned) == render(SETTINGS)


def test_no_settings_are_no_text() -> None:
    assert render({}) == ""


VALUES = st.text(st.characters(codec="utf-8"), max_size=40).filter(
    lambda text: text == text.strip() and len(text.splitlines()) <= 1
)
NAMES = st.text("azAZ09_.-", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_what_is_read(settings: dict[str, dict[str, str]]) -> None:
    assert read(render(settings)) == settings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "True", id="true"),
        pytest.param(False, "False", id="false"),
        pytest.param(0, "0", id="zero is a value"),
        pytest.param("", "", id="empty is a value"),
        pytest.param(1.5, "1.5", id="float"),
        pytest.param([1, "a"], '[1, "a"]', id="list"),
        pytest.param({"b": None, "a": True}, '{"a": true, "b": null}', id="mapping, sorted"),
        pytest.param("50%", "50%", id="percent is doubled only in the file"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert texts({"core": {"x": value}}) == {"core": {"x": text}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"core": {"x": "SECRET\nb"}}, r"\[core\] x begins or ends", id="two lines"),
        pytest.param({"core": {"x": " SECRET"}}, r"\[core\] x begins or ends", id="leading blank"),
        pytest.param({"core": {"x": "SECRET\n"}}, r"\[core\] x begins or ends", id="block text of YAML"),
        pytest.param({"core": {"a b": 1}}, r"'a b' can't name an option of \[core\]", id="blank in the name"),
        pytest.param({"core": {"": 1}}, "'' can't name", id="no name"),
        pytest.param({"co]re": {"a": 1}}, "'co]re' can't name a section", id="bracket in the section"),
        pytest.param({"DEFAULT": {"a": 1}}, "'DEFAULT' can't name", id="the section that all inherit"),
    ],
)
def test_what_the_file_cannot_hold_is_refused_without_the_value(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as raised:
        airflow_cfg(settings)
    assert "SECRET" not in str(raised.value)


NAMES_OF_THE_MANUAL = {"max_threads": "scheduler.parsing_processes", "parallelism": "core.parallelism"}


def test_manual_names_become_settings() -> None:
    values = {"max_threads": 4, "parallelism": None}
    assert parameters(values, NAMES_OF_THE_MANUAL) == {
        "scheduler": {"parsing_processes": 4},
        "core": {"parallelism": None},
    }


def test_unknown_manual_name_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="takes no paralelism, it takes max_threads, parallelism"):
        airflow_cfg_parameters({"paralelism": 1}, NAMES_OF_THE_MANUAL)


SERVICES = ["scheduler", "webserver", "worker"]
READERS = {
    "core": {"parallelism": ["scheduler"]},
    "celery": {"worker_concurrency": ["worker"]},
    "webserver": {"*": ["webserver"], "secret_key": SERVICES},
    "smtp": {"*": ["scheduler", "worker"]},
}
BASE: dict[str, dict[str, Any]] = {
    "core": {"parallelism": 8, "fernet_key": "k", "load_examples": False},
    "webserver": {"page_size": 100, "secret_key": "s"},
    "smtp": {"smtp_host": "a"},
}


@pytest.mark.parametrize(
    ("section", "option", "value", "changed"),
    [
        pytest.param("core", "parallelism", 9, {"scheduler"}, id="option of one service"),
        pytest.param("celery", "worker_concurrency", 2, {"worker"}, id="new option"),
        pytest.param("webserver", "page_size", 50, {"webserver"}, id="rest of a section"),
        pytest.param("webserver", "secret_key", "t", set(SERVICES), id="exception of a section"),
        pytest.param("smtp", "smtp_host", None, {"scheduler", "worker"}, id="removed option"),
        pytest.param("core", "load_examples", True, set(SERVICES), id="unknown option of a known section"),
        pytest.param("logging", "logging_level", "DEBUG", set(SERVICES), id="unknown section"),
        pytest.param("core", "parallelism", "8", set(), id="the same text"),
    ],
)
def test_digest_changes_for_the_readers_only(section: str, option: str, value: Any, changed: set[str]) -> None:
    after = {**BASE, section: {**BASE.get(section, {}), option: value}}
    old = digests(BASE, key="k", readers=READERS, services=SERVICES)
    new = airflow_cfg_digests(after, key="k", readers=READERS, services=SERVICES)
    assert {service for service in SERVICES if old[service] != new[service]} == changed


def test_digest_depends_on_the_key() -> None:
    one, other = (digests(BASE, key=key, readers=READERS, services=SERVICES) for key in "ab")
    assert all(one[service] != other[service] for service in SERVICES)
