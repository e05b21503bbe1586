"""What has to change in pools and accounts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.airflow_inside import pools, ui_users
from ansible.module_utils.owned_files import read

from library.airflow_cfg_file import judged_before, refusal
from library.airflow_ui_users import without_password

POOL = {"name": "sftp", "slots": 2, "description": "", "include_deferred": False}
KEPT = {"slots": 2, "description": "", "include_deferred": False}


@pytest.mark.parametrize(
    ("have", "want", "changes"),
    [
        pytest.param({}, [POOL], [{"name": "sftp", "before": None, "after": KEPT}], id="new"),
        pytest.param({"sftp": KEPT}, [POOL], [], id="the same"),
        pytest.param(
            {"sftp": {**KEPT, "slots": 1}},
            [POOL],
            [{"name": "sftp", "before": {**KEPT, "slots": 1}, "after": KEPT}],
            id="changed",
        ),
        pytest.param({"other": KEPT}, [], [], id="not listed, left alone"),
    ],
)
def test_pools(have: dict[str, Any], want: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    assert pools.plan(have, want) == changes


USER = {"username": "kim", "role": "Op", "email": "k@example.com", "first_name": "Minji", "last_name": "Kim"}
ROW = {"email": "k@example.com", "first_name": "Minji", "last_name": "Kim", "roles": ["Op"], "password_fits": True}


@pytest.mark.parametrize(
    ("row", "before", "after"),
    [
        pytest.param({**ROW, "roles": ["Viewer"]}, {"roles": ["Viewer"]}, {"roles": ["Op"]}, id="role"),
        pytest.param(
            {**ROW, "roles": ["Admin", "Op"]}, {"roles": ["Admin", "Op"]}, {"roles": ["Op"]}, id="one role only"
        ),
        pytest.param({**ROW, "last_name": "Lee"}, {"last_name": "Lee"}, {"last_name": "Kim"}, id="name"),
        pytest.param(
            {**ROW, "password_fits": False}, {"password": "(secret)"}, {"password": "(secret, changed)"}, id="password"
        ),
    ],
)
def test_changed_account(row: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    assert ui_users.plan({"kim": row}, [USER]) == [{"username": "kim", "before": before, "after": after}]


def test_unchanged_and_foreign_accounts_are_left_alone() -> None:
    assert ui_users.plan({"kim": ROW, "lee": ROW}, [USER]) == []


def test_new_account() -> None:
    (change,) = ui_users.plan({}, [USER])
    assert change["before"] is None
    assert change["after"] == {
        "email": "k@example.com",
        "first_name": "Minji",
        "last_name": "Kim",
        "roles": ["Op"],
        "password": "(secret)",
    }


@pytest.mark.parametrize(
    ("owner", "conflicts"),
    [
        pytest.param("kim", [], id="its own"),
        pytest.param("lee", ["kim can't get the address K@example.com: it belongs to lee."], id="of somebody else"),
    ],
)
def test_address_of_somebody_else(owner: str, conflicts: list[str]) -> None:
    assert ui_users.email_conflicts({owner: ROW}, [{**USER, "email": "K@example.com"}]) == conflicts


@pytest.mark.parametrize(
    ("passwords", "lacking"),
    [({"kim": "x"}, []), ({"kim": ""}, ["kim"]), ({}, ["kim"])],
    ids=["there", "empty", "missing"],
)
def test_account_without_password(passwords: dict[str, str], lacking: list[str]) -> None:
    assert without_password([USER], passwords) == lacking


def test_refusal_says_what_and_where() -> None:
    assert (
        refusal("/a/airflow.cfg", ["One.", "Two?"], "Fix it there.")
        == "/a/airflow.cfg was not changed: One. Two? Fix it there."
    )


@pytest.mark.parametrize(
    ("written", "switched", "content", "known"),
    [
        pytest.param(200, 100, "text", True, id="written after the switch"),
        pytest.param(100, 200, "text", False, id="another Airflow since"),
        pytest.param(200, 100, "other", False, id="another text"),
        pytest.param(None, 100, "text", False, id="no file"),
        pytest.param(200, None, "text", False, id="no Airflow"),
    ],
)
def test_a_live_text_is_judged_once_by_each_airflow(
    tmp_path: Path, written: int | None, switched: int | None, content: str, known: bool
) -> None:
    live, link = tmp_path / "airflow.cfg", tmp_path / "venv"
    if written:
        live.write_text("text", encoding="utf-8")
        os.utime(live, (written, written))
    if switched:
        link.symlink_to("venvs/one")
        os.utime(link, (switched, switched), follow_symlinks=False)
    assert judged_before(read(str(live)), content, live, link / "bin/python") is known
