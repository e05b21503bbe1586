"""Which passwords hold for an account of MariaDB, before and after."""

from __future__ import annotations

from typing import Any

import pytest

from library.mariadb_password import NATIVE, Action, Login, logins_of, native, plan, statement

PASSWORD = "p%@/# 한글"
NEW, OLD, OLDER = native(PASSWORD), native("old"), native("older")
OTHER = Login("ed25519", "key")
BESIDE = "set the password of airflow@h, the one before holds too"
RETIRED = "retire the earlier password of airflow@h"


def test_known_hash() -> None:
    """The server's own: SELECT PASSWORD('newpass')."""
    assert native("newpass") == Login(NATIVE, "*D8DECEC305209EEFEC43008E1D420E1AA06B19E0")


@pytest.mark.parametrize(
    ("privileges", "logins"),
    [
        pytest.param({"plugin": NATIVE, "authentication_string": OLD.secret}, [OLD], id="one"),
        pytest.param(
            {
                "plugin": NATIVE,
                "authentication_string": NEW.secret,
                "auth_or": [{}, {"plugin": "ed25519", "authentication_string": "key"}],
            },
            [NEW, OTHER],
            id="two",
        ),
        pytest.param(
            {
                "plugin": NATIVE,
                "authentication_string": NEW.secret,
                "auth_or": [{"plugin": "unix_socket"}, {}],
            },
            [Login("unix_socket", ""), NEW],
            id="the-main-one-comes-second",
        ),
        pytest.param({"access": 0}, [Login(NATIVE, "")], id="no-password"),
    ],
)
def test_logins_of(privileges: dict[str, Any], logins: list[Login]) -> None:
    assert logins_of(privileges) == logins


@pytest.mark.parametrize(
    ("have", "keep", "text", "after"),
    [
        pytest.param([NEW], False, "", [NEW], id="unchanged"),
        pytest.param([NEW], True, "", [NEW], id="unchanged-keep"),
        pytest.param([OLD], False, "set the password of airflow@h", [NEW], id="changed-at-once"),
        pytest.param([OLD], True, BESIDE, [NEW, OLD], id="changed"),
        pytest.param([NEW, OLD], True, "", [NEW, OLD], id="repeated"),
        pytest.param([OLD, OLDER], True, BESIDE, [NEW, OLD, OLDER], id="again"),
        pytest.param([OLD, NEW], True, "", [OLD, NEW], id="changed-back"),
        pytest.param([NEW, OLD], False, RETIRED, [NEW], id="retired"),
        pytest.param([OTHER], True, BESIDE, [NEW, OTHER], id="another-plugin"),
        pytest.param([Login(NATIVE, "")], True, "set the password of airflow@h", [NEW], id="no-password-is-not-kept"),
        pytest.param([NEW, Login("unix_socket", "")], True, RETIRED, [NEW], id="nor-beside"),
    ],
)  # fmt: skip
def test_plan(have: list[Login], keep: bool, text: str, after: list[Login]) -> None:
    assert plan({"h": have}, "airflow", NEW, keep) == ([Action(text, "h", after)] if text else [])


def test_an_account_that_is_not_there_is_nobody_s_business() -> None:
    assert plan({}, "airflow", NEW, keep=True) == []


def test_statement() -> None:
    text, values = statement("airflow", Action("", "192.0.2.1", [NEW, OTHER]))
    assert text == "ALTER USER %s@%s IDENTIFIED VIA mysql_native_password USING %s OR ed25519 USING %s"
    assert values == ["airflow", "192.0.2.1", NEW.secret, "key"]


def test_a_plugin_is_a_name() -> None:
    with pytest.raises(ValueError, match="no name of a plugin"):
        statement("airflow", Action("", "h", [Login("x; DROP", "y")]))
