"""What an inventory gives for airflow.cfg, by the table of options of the version that it installs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_ops import airflow_options
from airflow_ops.config_rules import CONFIG_RULES
from airflow_ops.inventory_model import LATER, Environment, Host, Inventory

ROLE = Path(__file__).parents[2] / "roles/airflow_config"
TABLE = airflow_options.load(ROLE / "files/airflow-2.11.2.yml")
PARAMETERS = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__airflow_config_parameter_names"]
FILE = "inventories/dev/group_vars/dev/airflow_config.yml"
GIVEN = {
    "airflow_environment": "dev",
    "airflow_version": "2.11.2",
    "airflow_home": "/usr/hmg/9/airflow",
    "airflow_dags_folder": "/usr/hmg/9/airflow/dags",
}


def told(variables: dict[str, Any], hosts: tuple[str, ...] = ("mn01d", "dn01d")) -> list[str]:
    """Return what the rules say of an inventory in which the first of the hosts has more variables than the other."""
    every = {name: Host(name, GIVEN) for name in ("mn01d", "dn01d")}
    every |= {name: Host(name, {**GIVEN, **variables}) for name in hosts}
    roles = frozenset({"airflow", "airflow_config"})
    inventory = Inventory(every, {}, roles=roles, options={"2.11.2": TABLE}, parameters=PARAMETERS)
    return [finding for rule in CONFIG_RULES for finding in rule(Environment("dev", inventory))]


def settings(section: str, option: str, value: Any) -> dict[str, Any]:
    return {"airflow_config_settings": {section: {option: value}}}


GOOD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "every parameter": {"airflow_config_parameters": dict.fromkeys(PARAMETERS)},
    "null removes": {"airflow_config_settings": {"core": {}, "logging": {"nonsense": None}}},
    "types": {"airflow_config_settings": {"core": {"parallelism": "8", "load_examples": False}}},
    "open section": settings("celery_broker_transport_options", "anything", 1),
    "the folder of the releases": settings("core", "dags_folder", "/usr/hmg/9/airflow/dags"),
    "expanded to a number": {
        **settings("core", "parallelism", "${SLOTS}"),
        "airflow_environment_extra": {"SLOTS": 8},
    },
    "a dollar that expands to nothing": settings("database", "sql_alchemy_conn", "mysql://u:p$X@h/d"),
    "section of a further package": {
        **settings("elasticsearch", "host", "h"),
        "airflow_install_extra_packages": ["apache-airflow-providers-elasticsearch==5.5.3"],
    },
    "an option that is not known yet": {"airflow_config_settings": {"core": {"dags_folder": LATER}, "celery": LATER}},
    "an option that uses what is not known yet": {
        **settings("core", "parallelism", "${SLOTS}"),
        "airflow_environment_extra": {"SLOTS": LATER},
    },
    "options by the environment": {
        "airflow_environment_extra": {
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "x",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "cat /x",
            "AIRFLOW_CONN_X": "a://b",
            "AIRFLOW__LOGGING__REMOTE_LOGGING": True,
        }
    },
    "a word for a boolean that has more": settings("webserver", "expose_config", "non-sensitive-only"),
    "both of HTTPS": {"airflow_config_https_certificate": "/c.pem", "airflow_config_https_key": "/k.pem"},
    "a version without a table": {**settings("core", "nonsense", 1), "airflow_version": "2.10.5"},
}


@pytest.mark.parametrize("variables", GOOD.values(), ids=GOOD)
def test_good(variables: dict[str, Any]) -> None:
    assert told(variables) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "old name": (
        {"airflow_config_parameters": {"dag_concurrency": 16}},
        "airflow_config_parameters takes no dag_concurrency, which has another name since Airflow 2.2.0: "
        f"set [core] max_active_tasks_per_dag in airflow_config_settings in {FILE}.",
    ),
    "old name of a parameter": (
        {"airflow_config_parameters": {"celeryd_concurrency": 4}},
        "airflow_config_parameters takes no celeryd_concurrency, which has another name since Airflow 1.10: "
        f"write worker_concurrency in {FILE}.",
    ),
    "option of one section": (
        {"airflow_config_parameters": {"log_filename_template": "x"}},
        "airflow_config_parameters takes no log_filename_template: set [logging] log_filename_template in "
        f"airflow_config_settings in {FILE}.",
    ),
    "option of several sections": (
        {"airflow_config_parameters": {"ssl_active": True}},
        f"airflow_config_parameters takes no ssl_active: set [celery] ssl_active in airflow_config_settings in {FILE}.",
    ),
    "misspelt": (
        {"airflow_config_parameters": {"paralelism": 5}},
        f"airflow_config_parameters takes no paralelism (did you mean parallelism?): correct it in {FILE}.",
    ),
    "nothing near": (
        {"airflow_config_parameters": {"zzz": 5}},
        f"airflow_config_parameters takes no zzz, it takes {', '.join(sorted(PARAMETERS))}: correct it in {FILE}.",
    ),
    "value of a parameter": (
        {"airflow_config_parameters": {"max_threads": "two"}},
        "[scheduler] parsing_processes is 'two'; it must be an integer: correct airflow_config_parameters in "
        + FILE
        + ".",
    ),
    "chain of renames": (
        settings("scheduler", "statsd_allow_list", "x"),
        "[scheduler] statsd_allow_list has another name since Airflow 2.0.0; write [metrics] metrics_allow_list: "
        f"correct airflow_config_settings in {FILE}.",
    ),
    "unknown section": (
        settings("loging", "logging_level", "INFO"),
        "[loging] is not a section of Airflow 2.11.2 (did you mean [logging]?): correct airflow_config_settings in "
        f"{FILE}.",
    ),
    "other level": (
        settings("logging", "logging_level", "LOUD"),
        "[logging] logging_level is 'LOUD'; it must be one of CRITICAL, FATAL, ERROR, WARN, WARNING, INFO, DEBUG: "
        f"correct airflow_config_settings in {FILE}.",
    ),
    "two lines": (
        settings("core", "default_timezone", "UTC\nx"),
        "[core] default_timezone begins or ends with white space or has several lines; use one line: "
        f"correct airflow_config_settings in {FILE}.",
    ),
    "no name": (
        settings("core", "a b", 1),
        "'a b' can't name an option of [core] in airflow.cfg; use letters, digits, . _ and -: "
        f"correct airflow_config_settings in {FILE}.",
    ),
    "no section": (
        {"airflow_config_settings": {"core": 5}},
        f"Section [core] of airflow_config_settings must be a dictionary of options: correct it in {FILE}.",
    ),
    "secret that expands": (
        {"airflow_config_smtp_password": "marker$HOME"},
        "[smtp] smtp_password has a $NAME or ~ that Airflow would expand; choose another: correct "
        "airflow_config_smtp_password in inventories/dev/group_vars/dev/vault.yml.",
    ),
    "secret that expands by the site's own variable": (
        {"airflow_config_secret_key": "marker${OWN}", "airflow_environment_extra": {"OWN": "x"}},
        "[webserver] secret_key has a $NAME or ~ that Airflow would expand; choose another: correct "
        "airflow_config_secret_key in inventories/dev/group_vars/dev/vault.yml.",
    ),
    "charset of the result backend": (
        settings("celery", "result_backend", "db+mysql://a:marker@mn01p/d/charset=utf8"),
        "result_backend in airflow_config_settings ends with /charset=, which names a database of that name: write "
        f"db+mysql://a:(secret)@mn01p/d?charset=utf8mb4 in {FILE}.",
    ),
    "dags folder": (
        {"airflow_config_parameters": {"dags_folder": "/data"}},
        "dags_folder in airflow_config_parameters is '/data', but DAG releases go to /usr/hmg/9/airflow/dags: set "
        "airflow_dags_folder in inventories/dev/group_vars/dev/airflow.yml instead.",
    ),
    "dags folder by the environment": (
        {"airflow_environment_extra": {"AIRFLOW__CORE__DAGS_FOLDER": "/data"}},
        "dags_folder in airflow_environment_extra is '/data', but DAG releases go to /usr/hmg/9/airflow/dags: set "
        "airflow_dags_folder in inventories/dev/group_vars/dev/airflow.yml instead.",
    ),
    "old name by the environment": (
        {"airflow_environment_extra": {"AIRFLOW__CORE__DAG_CONCURRENCY": "16"}},
        "[core] dag_concurrency has another name since Airflow 2.2.0; write [core] max_active_tasks_per_dag: "
        "correct airflow_environment_extra in inventories/dev/group_vars/dev/airflow.yml.",
    ),
    "misspelt by the environment": (
        {"airflow_environment_extra": {"AIRFLOW__CORE__PARALELISM": "3"}},
        "[core] paralelism is not an option of Airflow 2.11.2 (did you mean parallelism?): "
        "correct airflow_environment_extra in inventories/dev/group_vars/dev/airflow.yml.",
    ),
    "value by the environment": (
        {"airflow_environment_extra": {"AIRFLOW__CORE__PARALLELISM": "many"}},
        "[core] parallelism is 'many'; it must be an integer: "
        "correct airflow_environment_extra in inventories/dev/group_vars/dev/airflow.yml.",
    ),
    "no option of the environment": (
        {"airflow_environment_extra": {"AIRFLOW__core__parallelism": "3"}},
        "airflow_environment_extra has AIRFLOW__core__parallelism, which sets no option: write "
        "AIRFLOW__SECTION__OPTION, in capitals, in inventories/dev/group_vars/dev/airflow.yml.",
    ),
    "misspelt section beside a further package": (
        {
            **settings("schedular", "catchup_by_default", False),
            "airflow_install_extra_packages": ["apache-airflow-providers-elasticsearch==5.5.3"],
        },
        "[schedular] is not a section of Airflow 2.11.2 (did you mean [scheduler]?): correct airflow_config_settings "
        f"in {FILE}.",
    ),
    "empty section": (
        {"airflow_config_host_settings": {"database": None}},
        f"Section [database] of airflow_config_host_settings is empty: write {{}} or remove the line in {FILE}.",
    ),
    "beside what is not known yet": (
        {"airflow_config_parameters": {"parallelism": LATER, "dags_folder": "/data"}},
        "dags_folder in airflow_config_parameters is '/data', but DAG releases go to /usr/hmg/9/airflow/dags: set "
        "airflow_dags_folder in inventories/dev/group_vars/dev/airflow.yml instead.",
    ),
    "boolean that Airflow declares as a string": (
        settings("logging", "remote_logging", "maybe"),
        "[logging] remote_logging is 'maybe'; it must be a boolean (True or False): correct airflow_config_settings in "
        f"{FILE}.",
    ),
    "word that only YAML takes for a boolean": (
        {"airflow_config_smtp_starttls": "yes"},
        "[smtp] smtp_starttls is 'yes'; it must be a boolean (True or False): correct airflow_config_smtp_starttls in "
        f"{FILE}.",
    ),
    "port out of range": (
        settings("webserver", "web_server_port", 99999),
        "[webserver] web_server_port is '99999'; it must be a port from 1 to 65535: correct airflow_config_settings in "
        f"{FILE}.",
    ),
    "half of HTTPS": (
        {"airflow_config_https_certificate": "/c.pem"},
        f"airflow_config_https_certificate is set without airflow_config_https_key: set both or none in {FILE}.",
    ),
}


@pytest.mark.parametrize(("variables", "sentence"), BAD.values(), ids=BAD)
def test_bad(variables: dict[str, Any], sentence: str) -> None:
    (found,) = told(variables)
    assert found == sentence
    assert "marker" not in found


def test_the_hosts_are_named_where_they_differ() -> None:
    (found,) = told({"airflow_config_host_settings": {"core": {"parallelism": "x"}}}, ("dn01d",))
    assert found == (
        f"[core] parallelism is 'x'; it must be an integer on dn01d: correct airflow_config_host_settings in {FILE}."
    )


RENAMED = {old: new for old, new in TABLE["renamed"].items() if new[1] in TABLE["options"].get(new[0], {})}


@pytest.mark.parametrize("old", RENAMED, ids=".".join)
def test_every_old_name_is_told_with_the_new_one(old: tuple[str, str]) -> None:
    section, option, since = RENAMED[old]
    (found,) = told(settings(*old, "1"))
    assert found.startswith(
        f"[{old[0]}] {old[1]} has another name since Airflow {since}; write [{section}] {option}: correct"
    )
    if old[1] not in PARAMETERS:
        (found,) = told({"airflow_config_parameters": {old[1]: "1"}})
        assert f"takes no {old[1]}" in found
        assert f"[{section}] {option}" in found or f"write {option}" in found


def test_renames_of_1_10_to_2_11_are_known() -> None:
    known = {f"{section}.{option}" for section, option in RENAMED}
    assert known >= {
        "core.dag_concurrency", "core.non_pooled_task_slot_count", "core.sql_alchemy_conn", "core.logging_level",
        "scheduler.max_threads", "scheduler.statsd_on", "scheduler.processor_poll_interval", "celery.default_queue",
        "celery.celeryd_concurrency", "celery.celery_result_backend", "celery.task_adoption_timeout",
        "api.auth_backend", "webserver.update_fab_perms", "webserver.force_log_out_after",
        "webserver.session_lifetime_days", "admin.hide_sensitive_variable_fields",
    }  # fmt: skip
    assert not set(RENAMED) & {(section, option) for section, found in TABLE["options"].items() for option in found}


def test_a_table_survives_being_written(tmp_path: Path) -> None:
    path = tmp_path / "table.yml"
    path.write_text(airflow_options.dump(TABLE))
    assert path.read_text() == (ROLE / "files/airflow-2.11.2.yml").read_text()
    assert airflow_options.load(path) == TABLE
