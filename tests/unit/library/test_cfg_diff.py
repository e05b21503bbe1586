"""The diff of two configuration texts shows options, never secrets."""

from __future__ import annotations

import pytest
from ansible.module_utils.cfg_diff import SENSITIVE, masked_diff

BEFORE = """\
# old password: SECRET0
[core]
fernet_key = SECRET1
parallelism = 8
[database]
sql_alchemy_conn = mysql://u:SECRET2@h/d
"""


def lines(before: str, after: str) -> tuple[list[str], list[str]]:
    diff = masked_diff("airflow.cfg", before, after, SENSITIVE)
    old, new = diff["before"].splitlines(), diff["after"].splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        pytest.param("= 8", "= 9", ["parallelism = 8"], ["parallelism = 9"], id="plain"),
        pytest.param(
            "SECRET1", "SECRET9", ["fernet_key = (secret)"], ["fernet_key = (secret, changed)"], id="a secret of two"
        ),
        pytest.param("parallelism = 8\n", "", ["parallelism = 8"], [], id="removed"),
        pytest.param("# old password: SECRET0\n", "", [], [], id="comment"),
    ],
)
def test_one_change(old: str, new: str, removed: list[str], added: list[str]) -> None:
    assert lines(BEFORE, BEFORE.replace(old, new)) == (removed, added)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("some_password = SECRET", id="by its name"),
        pytest.param("API_TOKEN = SECRET", id="by its name, upper case"),
        pytest.param("remote_base_log_folder = ftp://u:SECRET@h/", id="by its value"),
    ],
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_secret_that_nobody_declared(line: str, side: str) -> None:
    texts = {"before": "", "after": "", side: f"[custom]\n{line}\n"}
    assert "SECRET" not in str(masked_diff("airflow.cfg", texts["before"], texts["after"], SENSITIVE))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("SECRET without a section", id="not a configuration"),
        pytest.param("[core]\nfernet_key = SECRET\nfernet_key = SECRET2", id="double entry"),
    ],
)
def test_whatever_lies_there_is_no_error(before: str) -> None:
    diff = masked_diff("airflow.cfg", before, "[core]\nparallelism = 8\n", SENSITIVE)
    assert "SECRET" not in str(diff)
    assert diff["after"] == "[core]\nparallelism = 8\n"
