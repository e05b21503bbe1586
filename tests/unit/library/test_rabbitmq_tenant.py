"""What leads from the definitions of a RabbitMQ server to a tenant."""

from __future__ import annotations

from typing import Any

import pytest

from library.rabbitmq_tenant import HASHING, is_password, is_pending, password_hash, plan

SALT = b"\x01\x02\x03\x04"
PASSWORD = "p%@/# 한글"
WANT = {
    "vhost": "airflow",
    "user": "airflow",
    "password": PASSWORD,
    "update_password": "always",
    "absent_users": ["guest"],
}
ALL = {"configure": ".*", "write": ".*", "read": ".*"}


def user(name: str = "airflow", password: str = PASSWORD, **other: Any) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash(password, SALT),
        "hashing_algorithm": HASHING,
        "tags": [],
        **other,
    }


def server(
    users: list[dict[str, Any]] | None = None,
    vhosts: tuple[str, ...] = ("airflow",),
    granted: tuple[str, ...] = ("airflow",),
) -> dict[str, list[dict[str, Any]]]:
    return {
        "users": [user()] if users is None else users,
        "vhosts": [{"name": name} for name in vhosts],
        "permissions": [{"user": "airflow", "vhost": name, **ALL} for name in granted],
    }


@pytest.mark.parametrize(
    ("have", "expected"),
    [
        pytest.param(server(), [], id="nothing-to-do"),
        pytest.param(
            server([user("guest")], ("/",), ()),
            [
                "make the virtual host airflow",
                "make the account airflow",
                "give airflow the virtual host airflow",
                "remove the account guest",
            ],
            id="fresh-server",
        ),
        pytest.param(
            server([user(password="old")]), ["set password and tags of the account airflow"], id="changed-password"
        ),
        pytest.param(
            server([user(tags=["administrator"])]), ["set password and tags of the account airflow"], id="too-mighty"
        ),
        pytest.param(
            server([user(hashing_algorithm="rabbit_password_hashing_md5")]),
            ["set password and tags of the account airflow"],
            id="old-hash",
        ),
        pytest.param(
            server(granted=("airflow", "/")),
            ["take the virtual host / from airflow"],
            id="rights-in-another-virtual-host",
        ),
        pytest.param(
            server() | {"permissions": [{"user": "airflow", "vhost": "airflow", **ALL, "write": "x"}]},
            ["give airflow the virtual host airflow"],
            id="too-few-rights",
        ),
        pytest.param(server([user(), user("somebody")]), [], id="others-are-left-alone"),
    ],
)
def test_plan(have: dict[str, list[dict[str, Any]]], expected: list[str]) -> None:
    assert [action.text for action in plan(have, WANT, SALT)] == expected


@pytest.mark.parametrize(
    ("users", "planned", "pending"),
    [
        pytest.param([], ["make the account airflow"], False, id="new"),
        pytest.param([user()], [], False, id="unchanged"),
        pytest.param(
            [user(tags=["administrator"])], ["set password and tags of the account airflow"], False, id="too-mighty"
        ),
        pytest.param([user(password="old", tags=["administrator"])], [], True, id="changed"),
    ],
)
def test_an_account_that_exists_may_keep_its_password(
    users: list[dict[str, Any]], planned: list[str], pending: bool
) -> None:
    want = WANT | {"update_password": "on_create"}
    assert [action.text for action in plan(server(users), want, SALT)] == planned
    assert is_pending(server(users), want) == pending
    assert not is_pending(server(users), WANT)


def test_no_action_holds_the_password() -> None:
    assert PASSWORD not in repr(plan(server([user(password="old")]), WANT, SALT))


def test_known_hash() -> None:
    """The example of RabbitMQ's documentation: password test12 with salt 908DC60A."""
    known = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert password_hash("test12", bytes.fromhex("908DC60A")) == known
    assert is_password({"password_hash": known, "hashing_algorithm": HASHING}, "test12")
    assert not is_password({"password_hash": known, "hashing_algorithm": HASHING}, "test13")
