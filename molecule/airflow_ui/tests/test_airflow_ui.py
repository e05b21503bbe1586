"""Accounts and pools as the installed Airflow sees them, and what a later run changes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

HOME = "/usr/hmg/2.2.1.0-552/airflow"
PASSWORDS = yaml.safe_load((Path(__file__).parents[1] / "vars/main.yml").read_text(encoding="utf-8"))[
    "airflow_ui_passwords"
]
READ = """
import json, sys
from airflow.models import Pool
from airflow.providers.fab.auth_manager.models import User
from airflow.utils.session import create_session
from werkzeug.security import check_password_hash
passwords = json.loads(sys.argv[1])
with create_session() as session:
    print("ANSWER" + json.dumps({
        "users": {user.username: [[role.name for role in user.roles], user.last_name, user.active,
                  check_password_hash(user.password, passwords[user.username])] for user in session.query(User)},
        "pools": {pool.pool: [pool.slots, pool.description] for pool in session.query(Pool)},
    }))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the metadata database holds, read by the Airflow of a data node; the roles wrote from the other host."""
    node = testinfra.get_host("ssh://dn01d", ssh_config=os.environ["LAB_SSH_CONFIG"])
    with node.sudo("airflow"):
        done = node.run(f"env AIRFLOW_HOME={HOME} {HOME}/venv/bin/python -c %s %s", READ, json.dumps(PASSWORDS))
    assert "ANSWER" in done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.partition("ANSWER")[2])
    return answer


def test_accounts_have_role_and_password(seen: dict[str, Any]) -> None:
    assert seen["users"] == {
        "admin": [["Admin"], "Admin", True, True],
        "kim": [["Op"], "김", True, True],
        "lee": [["Viewer"], "Lee", True, True],
    }


def test_pools_are_declared(seen: dict[str, Any]) -> None:
    assert seen["pools"] == {"sftp": [2, "수신 IF"], "default_pool": [64, "Default pool"]}
