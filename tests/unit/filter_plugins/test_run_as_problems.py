"""Which hosts and accounts are fit for tasks with run_as_user."""

from __future__ import annotations

import pytest

from filter_plugins.run_as_problems import run_as_problems

NONE = "User spark is not allowed to run sudo on dn01p.\n"
ALL = """Matching Defaults entries for spark on dn01p:
    env_reset, mail_badpass, use_pty

User spark may run the following commands on dn01p:
    (ALL : ALL) ALL
"""
IDS = "uid=1002(spark) gid=1002(spark) groups=1002(spark)\n"


def problems(sudo: str = "Sudo version 1.9.13p3\n", ids: str = IDS, rights: str = NONE) -> list[str]:
    return run_as_problems(["spark"], host="dn01p", sudo=sudo, ids=ids, rights=[rights])


@pytest.mark.parametrize("version", ["1.9.10", "1.9.13p3", "1.10", "1.10.1", "2.0", "1.9.10b1\nmore 1.8.0"])
def test_sudo_that_knows_regular_expressions(version: str) -> None:
    assert problems(sudo=f"Sudo version {version}") == []


@pytest.mark.parametrize("version", ["1.9.9", "1.9", "1.8.31p2", "0.9.10", "unknown"])
def test_sudo_that_does_not_is_refused(version: str) -> None:
    (problem,) = problems(sudo=f"Sudo version {version}\nSudoers policy plugin version 1.9.13\n")
    assert problem.startswith(f"Sudo version {version} on dn01p cannot hold chown")


@pytest.mark.parametrize(
    ("ids", "rights", "says"),
    [
        pytest.param(IDS, ALL, "Account spark may use sudo on dn01p itself ((ALL : ALL) ALL), and so could", id="all"),
        pytest.param(
            IDS,
            "User spark may run the following commands on dn01p:\n    (hdfs) NOPASSWD: /bin/a\n    (root) /bin/b\n",
            "((hdfs) NOPASSWD: /bin/a)",
            id="one command of several",
        ),
        pytest.param(IDS, "", "(sudo does not tell what)", id="no answer"),
        pytest.param(
            IDS, "User other is not allowed to run sudo on dn01p.", "may use sudo", id="an answer for another account"
        ),
        pytest.param("", "", "names spark, which does not exist on dn01p or is root", id="missing"),
        pytest.param("uid=0(spark) gid=0(root)\n", NONE, "does not exist on dn01p or is root", id="root"),
    ],
)
def test_accounts_that_are_refused(ids: str, rights: str, says: str) -> None:
    (problem,) = problems(ids=ids, rights=rights)
    assert says in problem


def test_every_problem_is_told() -> None:
    accounts, ids = ["spark", "etl", "gone"], IDS + "uid=1003(etl) gid=1003(etl) groups=1003(etl),998(domain users)\n"
    rights = [ALL, "User etl is not allowed to run sudo on dn01p.\n", ""]
    found = run_as_problems(accounts, host="dn01p", sudo="Sudo version 1.8.0", ids=ids, rights=rights)
    assert len(found) == 3
    assert [name in " ".join(found) for name in accounts] == [True, False, True]
