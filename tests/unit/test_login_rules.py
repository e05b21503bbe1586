"""A URL that the inventory gives Airflow logs in as the variables of its server say."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.inventory_model import Environment, Host, Inventory
from airflow_ops.login_rules import logins

FILE = "inventories/dev/group_vars/dev/airflow_config.yml"
GIVEN = {
    "airflow_environment": "dev",
    "ansible_host": "192.0.2.1",
    "metadata_db_host": "mn01d",
    "metadata_db_port": 3306,
    "metadata_db_name": "airflow",
    "metadata_db_user": "airflow",
    "metadata_db_password": "p%@/# marker",
    "broker_kind": "rabbitmq",
    "broker_host": "mn01d",
    "broker_port": 5672,
    "broker_vhost": "airflow",
    "broker_user": "airflow",
    "broker_password": "marker2",
}
DATABASE = "mysql://airflow:p%25%40%2F%23%20marker@mn01d/airflow"
BROKER = "amqp://airflow:marker2@mn01d:5672/airflow"
EXTERNAL = {"metadata_db_external": True, "broker_external": "true"}
WRITE = f": take it out in {FILE}, for Airflow's URL follows from these variables, or write the same."


def told(variables: dict[str, Any], hosts: tuple[str, ...] = ("mn01d", "dn01d")) -> list[str]:
    """Return what the rule says of an inventory in which some hosts have more variables."""
    every = {name: Host(name, {**GIVEN, **(variables if name in hosts else {})}) for name in ("mn01d", "dn01d")}
    groups = {"metadata_db": ["mn01d"], "broker": ["mn01d"]}
    parameters = {"sql_alchemy_conn": "database.sql_alchemy_conn"}
    roles = frozenset({"airflow", "airflow_config"})
    return list(logins(Environment("dev", Inventory(every, groups, roles=roles, parameters=parameters))))


def parameter(url: str | None) -> dict[str, Any]:
    return {"airflow_config_parameters": {"sql_alchemy_conn": url}}


def database(**options: Any) -> dict[str, Any]:
    return {"airflow_config_settings": {"database": options}}


def celery(**options: Any) -> dict[str, Any]:
    return {"airflow_config_settings": {"celery": options}}


GOOD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "the same": parameter(DATABASE),
    "the same with a driver, a port and a query": parameter(
        f"{DATABASE.replace('mysql:', 'mysql+pymysql:').replace('mn01d', 'mn01d:3306')}?charset=utf8mb4"
    ),
    "the address of the server": parameter(DATABASE.replace("mn01d", "192.0.2.1")),
    "what the environment gives": {
        **parameter("mysql://airflow:$DB@mn01d/airflow"),
        "airflow_environment_extra": {"DB": "p%25%40%2F%23%20marker"},
    },
    "the mistake that another rule tells": parameter("mysql://a:b@mn01d/airflow/charset=utf8"),
    "broker": celery(broker_url=BROKER),
    "results in the database": celery(result_backend=f"db+{DATABASE}"),
    "results where Airflow puts them": celery(result_backend=None),
    "results on another server": celery(result_backend="db+mysql://other:x@elsewhere/results"),
    "results nowhere": celery(result_backend="rpc://"),
    "results in another database of the broker": {
        **celery(broker_url="redis://airflow:marker2@mn01d/0", result_backend="redis://airflow:marker2@mn01d/1"),
        "broker_kind": "redis",
        "broker_port": "6379",
        "broker_vhost": "0",
    },
    "an old name taken away": {"airflow_config_settings": {"core": {"sql_alchemy_conn": None}}},
    "a secret of others' servers": {**database(sql_alchemy_conn=None, sql_alchemy_conn_secret="db"), **EXTERNAL},
    "a cluster of others": {
        **celery(broker_url=f"{BROKER};amqp://airflow:marker2@other:5673/airflow"),
        **EXTERNAL,
    },
    "a way in that only others' servers have": {**celery(broker_url="sentinel://:x@mn01d:26379"), **EXTERNAL},
}


@pytest.mark.parametrize("variables", GOOD.values(), ids=GOOD)
def test_good(variables: dict[str, Any]) -> None:
    assert told(variables) == []


def contradiction(option: str, layer: str, variables: str) -> str:
    return f"{option} in {layer} contradicts {variables}, by which passwords are changed and logins tried{WRITE}"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another password": (
        parameter("mysql://airflow:old@mn01d/airflow"),
        contradiction("sql_alchemy_conn", "airflow_config_parameters", "metadata_db_password"),
    ),
    "another of everything": (
        parameter("mysql://a:old@dn01d:3307/b"),
        contradiction(
            "sql_alchemy_conn",
            "airflow_config_parameters",
            "metadata_db_name, metadata_db_user, metadata_db_password, metadata_db_port, metadata_db_host",
        ),
    ),
    "others' server": (
        {**parameter("mysql://airflow:old@mn01d/airflow"), **EXTERNAL},
        contradiction("sql_alchemy_conn", "airflow_config_parameters", "metadata_db_password"),
    ),
    "another host of others": (
        {**parameter(DATABASE.replace("mn01d", "elsewhere")), **EXTERNAL},
        contradiction("sql_alchemy_conn", "airflow_config_parameters", "metadata_db_host"),
    ),
    "settings": (
        database(sql_alchemy_conn="mysql://airflow:old@mn01d/airflow"),
        contradiction("sql_alchemy_conn", "airflow_config_settings", "metadata_db_password"),
    ),
    "broker": (
        celery(broker_url=BROKER.replace("marker2", "old")),
        contradiction("broker_url", "airflow_config_settings", "broker_password"),
    ),
    "second of a cluster": (
        {**celery(broker_url=f"{BROKER};amqp://airflow:old@other/airflow"), **EXTERNAL},
        contradiction("broker_url", "airflow_config_settings", "broker_password"),
    ),
    "results in the database": (
        celery(result_backend="db+mysql://airflow:old@mn01d/airflow"),
        contradiction("result_backend", "airflow_config_settings", "metadata_db_password"),
    ),
    "results of another account of the broker": (
        celery(result_backend="amqp://airflow:old@mn01d"),
        contradiction("result_backend", "airflow_config_settings", "broker_password"),
    ),
    "not quoted": (
        celery(result_backend="db+mysql://airflow:p/@mn01d/airflow"),
        f"result_backend in airflow_config_settings is no URL that can be compared with metadata_db_*{WRITE}",
    ),
    "another kind of broker": (
        celery(broker_url="redis://airflow:marker2@mn01d/0"),
        f"broker_url in airflow_config_settings is no URL that can be compared with broker_*{WRITE}",
    ),
    "null": (
        parameter(None),
        f"sql_alchemy_conn in airflow_config_parameters is null, which leaves Airflow without metadata_db_*{WRITE}",
    ),
    "a command": (
        celery(broker_url_cmd="cat /x"),
        f"broker_url_cmd in airflow_config_settings hides whether Airflow logs in by broker_*{WRITE}",
    ),
    "an environment variable": (
        {"airflow_environment_extra": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "mysql://airflow:old@mn01d/airflow"}},
        contradiction(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow_environment_extra", "metadata_db_password"
        ).replace("airflow_config.yml", "airflow.yml"),
    ),
}


@pytest.mark.parametrize(("variables", "expected"), BAD.values(), ids=BAD)
def test_bad(variables: dict[str, Any], expected: str) -> None:
    assert told(variables) == [expected]


def test_one_host() -> None:
    (finding,) = told(
        {"airflow_config_host_settings": {"database": {"sql_alchemy_conn": "mysql://airflow:old@mn01d/airflow"}}},
        ("dn01d",),
    )
    assert finding.startswith(
        "sql_alchemy_conn in airflow_config_host_settings on dn01d contradicts metadata_db_password"
    )
