#!/usr/bin/python
"""Use the metadata database as Airflow does: with its account, its driver and its rights."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metadata_db_exercise
short_description: Use the metadata database as Airflow does
description:
  - Logs in over the network with Airflow's account and driver (mysqlclient), tells what Airflow depends on, and makes,
    fills, alters and drops a table. Leaves nothing behind. Fails in one sentence when the server refuses.
  - The modules of community.mysql cannot log in with a password that has letters outside Latin-1, Korean for one,
    because PyMySQL cannot.
  - Must run with the Python of Airflow's virtual environment (C(ansible_python_interpreter)), which has the driver.
  - In check mode no table is made.
options:
  name:
    description: Name of the database.
    type: str
    required: true
extends_documentation_fragment: [login, login.server]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Use the database
  metadata_db_exercise:
    host: mn01p
    port: 3306
    name: airflow
    user: airflow
    password: "{{ metadata_db_password }}"
  vars:
    ansible_python_interpreter: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
"""

RETURN = r"""
version:
  description: What the server says of its version.
  returned: success
  type: str
  sample: 10.11.19-MariaDB
explicit_timestamps:
  description: Whether explicit_defaults_for_timestamp is on, 0 or 1.
  returned: success
  type: int
charset:
  description: Character set of the database.
  returned: success
  type: str
  sample: utf8mb4
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

LOOK = (
    "SELECT VERSION(), @@global.explicit_defaults_for_timestamp,"
    " (SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE())"
)
TABLE = "airflow_ops_check"
EXERCISE = (
    f"DROP TABLE IF EXISTS {TABLE}",
    f"CREATE TABLE {TABLE} (id INT PRIMARY KEY)",
    f"ALTER TABLE {TABLE} ADD COLUMN note VARCHAR(10), ADD INDEX (note)",
    f"INSERT INTO {TABLE} VALUES (1, 'x')",
    f"UPDATE {TABLE} SET note = 'y'",
    f"DELETE FROM {TABLE}",
    f"DROP TABLE {TABLE}",
)


def connection(driver: Any, given: dict[str, Any]) -> Any:
    """Return a connection to the database."""
    return driver.connect(
        host=given["host"],
        port=given["port"],
        user=given["user"],
        password=given["password"],
        database=given["name"],
        connect_timeout=given["timeout"],
        charset="utf8mb4",
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        import MySQLdb as driver  # noqa: PLC0415 - only Airflow's own Python has it
    except ImportError:
        module.fail_json(
            msg="This Python has no mysqlclient; run the module with the Python of Airflow's virtual environment."
        )
    given, statement = module.params, "connect"
    where = f"the database {given['name']} at {given['host']}:{given['port']} as {given['user']}"
    try:
        cursor = connection(driver, given).cursor()
        for statement in (*(() if module.check_mode else EXERCISE), LOOK):
            cursor.execute(statement)
        version, explicit_timestamps, charset = cursor.fetchone()
    except driver.Error as error:
        number, reason = (*error.args, "", "")[:2]
        module.fail_json(
            msg=f"Cannot use {where}: {reason} (error {number} at {' '.join(statement.split()[:2])}); "
            "see group_vars/<env>/metadata_db.yml, metadata_db_password in vault.yml, and the rights of the account."
        )
    module.exit_json(changed=False, version=version, explicit_timestamps=explicit_timestamps, charset=charset)


if __name__ == "__main__":
    main()
