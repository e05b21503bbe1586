"""What the checker says about a text, by a small copy of Airflow's own description."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.airflow_inside.cfg_check import findings

KEY = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
RULES: dict[str, Any] = {
    "version": "2.11.2",
    "options": {
        "core": {
            "fernet_key": {"type": "string", "sensitive": True},
            "parallelism": {"type": "string", "default": "32"},
            "load_examples": {"type": "boolean", "default": "True"},
            "default_task_execution_timeout": {"type": "integer", "default": ""},
            "dags_folder": {"type": "string", "default": "/dags"},
        },
        "database": {"sql_alchemy_conn": {"type": "string", "sensitive": True}},
        "logging": {"logging_level": {"type": "string", "default": "INFO"}},
        "scheduler": {"parsing_processes": {"type": "integer", "default": "2"}},
        "sentry": {"traces_sample_rate": {"type": "float", "default": "0.1"}},
        "webserver": {
            "web_server_host": {"type": "string", "default": "0.0.0.0"},
            "web_server_port": {"type": "integer", "default": "8080"},
            "proxy_fix_x_port": {"type": "integer", "default": "1"},
            "cookie_secure": {"type": "string", "default": "False"},
            "expose_config": {"type": "string", "default": "False"},
        },
    },
    "renamed": {("scheduler", "max_threads"): ("scheduler", "parsing_processes", "1.10.14")},
    "enums": {("logging", "logging_level"): ["INFO", "DEBUG", ""]},
    "sensitive": {("core", "fernet_key"), ("database", "sql_alchemy_conn")},
}


def judge(section: str, lines: str) -> list[str]:
    core = "" if section == "core" else f"[core]\nfernet_key = {KEY}\n"
    key = f"fernet_key = {KEY}\n" if section == "core" and "fernet_key" not in lines else ""
    found: list[str] = findings(f"{core}[{section}]\n{key}{lines}\n", RULES)
    return found


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        pytest.param("core", "parallelism = 8\nload_examples = f # no", id="types"),
        pytest.param("core", f"fernet_key = {KEY},{KEY}", id="two keys while one is rotated"),
        pytest.param("core", "fernet_key_cmd = cat /etc/airflow/key", id="key from a command"),
        pytest.param("database", "sql_alchemy_conn_secret = path", id="secret from a backend"),
        pytest.param("database", "sql_alchemy_conn = mysql://u:p%%25@h/d", id="doubled percent"),
        pytest.param("logging", "logging_level =", id="empty enumeration is the default"),
        pytest.param("celery_broker_transport_options", "anything = 1", id="open section"),
        pytest.param("core", "dags_folder = ~/dags", id="expansion where it is meant"),
        pytest.param("core", "default_task_execution_timeout =", id="an empty default"),
        pytest.param("sentry", "traces_sample_rate = .5", id="float"),
        pytest.param("webserver", "web_server_host = mn02p", id="an address is no integer"),
        pytest.param("webserver", "web_server_port = 65535", id="port"),
        pytest.param("webserver", "proxy_fix_x_port = 0", id="no port"),
        pytest.param("webserver", "cookie_secure = T", id="hidden boolean"),
        pytest.param("webserver", "expose_config = non-sensitive-only", id="no boolean"),
    ],
)
def test_clean(section: str, lines: str) -> None:
    assert judge(section, lines) == []


@pytest.mark.parametrize(
    ("section", "lines", "sentence"),
    [
        pytest.param(
            "core",
            "paralelism = 5",
            "[core] paralelism is not an option of Airflow 2.11.2 (did you mean parallelism?).",
            id="unknown option",
        ),
        pytest.param("core", "zzz = 5", "[core] zzz is not an option of Airflow 2.11.2.", id="unknown, nothing near"),
        pytest.param(
            "core",
            "logging_level = INFO",
            "[core] logging_level is not an option of Airflow 2.11.2; it belongs to [logging].",
            id="wrong section",
        ),
        pytest.param(
            "loging",
            "a = 1",
            "[loging] is not a section of Airflow 2.11.2 (did you mean [logging]?).",
            id="unknown section",
        ),
        pytest.param(
            "core",
            "PARALLELISM = 5",
            "[core] PARALLELISM is ignored by Airflow, which reads lower case only; write parallelism.",
            id="upper case",
        ),
        pytest.param(
            "scheduler",
            "max_threads = 2",
            "[scheduler] max_threads has another name since Airflow 1.10.14; write [scheduler] parsing_processes.",
            id="renamed",
        ),
        pytest.param(
            "core",
            "parallelism_cmd = x",
            "[core] parallelism_cmd is not an option of Airflow 2.11.2",
            id="command of no secret",
        ),
        pytest.param(
            "core", "parallelism = abc", "[core] parallelism is 'abc'; it must be an integer.", id="hidden integer"
        ),
        pytest.param(
            "webserver",
            "web_server_port = 99999",
            "[webserver] web_server_port is '99999'; it must be a port from 1 to 65535.",
            id="port out of range",
        ),
        pytest.param(
            "webserver",
            "web_server_port = 0",
            "[webserver] web_server_port is '0'; it must be a port from 1 to 65535.",
            id="port zero",
        ),
        pytest.param(
            "webserver",
            "cookie_secure = maybe",
            "[webserver] cookie_secure is 'maybe'; it must be a boolean (True or False).",
            id="hidden boolean",
        ),
        pytest.param("core", "parallelism =", "[core] parallelism is ''; it must be an integer.", id="empty integer"),
        pytest.param(
            "core",
            "load_examples = yes",
            "[core] load_examples is 'yes'; it must be a boolean (True or False).",
            id="boolean",
        ),
        pytest.param(
            "sentry", "traces_sample_rate = a", "[sentry] traces_sample_rate is 'a'; it must be a number.", id="float"
        ),
        pytest.param(
            "logging",
            "logging_level = LOUD",
            "[logging] logging_level is 'LOUD'; it must be one of INFO, DEBUG.",
            id="enumeration",
        ),
        pytest.param("core", "fernet_key = SECRET", "[core] fernet_key is not a Fernet key", id="key"),
        pytest.param("core", "fernet_key =", "[core] fernet_key is not a Fernet key", id="empty key"),
    ],
)
def test_finding(section: str, lines: str, sentence: str) -> None:
    (found,) = judge(section, lines)
    assert found.startswith(sentence)
    assert "SECRET" not in found


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("SECRET$WORD", id="variable"),
        pytest.param("~/SECRET", id="home"),
        pytest.param("S%ECRET", id="percent"),
    ],
)
def test_secret_that_would_change_is_refused_unseen(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "x")
    (found,) = judge("database", f"sql_alchemy_conn = {value}")
    assert found.startswith("[database] sql_alchemy_conn has a ")
    assert "ECRET" not in found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("[core]\na = SECRET\na = 2", "DuplicateOptionError in line 3 in [core] a.", id="option twice"),
        pytest.param("[core]\n[core]", "DuplicateSectionError in line 2 in [core].", id="section twice"),
        pytest.param("SECRET = 1", "MissingSectionHeaderError in line 1.", id="no section"),
        pytest.param("[core]\nSECRET", "ParsingError.", id="no value"),
    ],
)
def test_unreadable_text_is_not_quoted(text: str, sentence: str) -> None:
    assert findings(text, RULES) == [f"The text can't be read as configuration: {sentence}"]


def test_missing_key_is_found() -> None:
    (found,) = findings("[core]\nparallelism = 1\n", RULES)
    assert "fernet_key is missing" in found


def test_a_sentence_is_said_once() -> None:
    assert len(judge("loging", "a = 1\nb = 2")) == 1
