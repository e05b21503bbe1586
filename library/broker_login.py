#!/usr/bin/python
"""Log in to the broker with the library that Airflow uses."""

from __future__ import annotations

DOCUMENTATION = r"""
module: broker_login
short_description: Log in to the broker with kombu, the library that Airflow's workers use
description:
  - Opens one connection and closes it; changes nothing. Fails in one sentence when the broker refuses.
  - Must run with the Python of Airflow's virtual environment (C(ansible_python_interpreter)), which has kombu.
options:
  kind:
    description: The server.
    type: str
    choices: [rabbitmq, redis]
    required: true
  vhost:
    description: Virtual host of RabbitMQ, or number of the Redis database.
    type: str
    required: true
extends_documentation_fragment: [login, login.server]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Log in to the broker
  broker_login:
    kind: rabbitmq
    host: mn01p
    port: 5672
    vhost: airflow
    user: airflow
    password: "{{ broker_password }}"
  vars:
    ansible_python_interpreter: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
"""

RETURN = r"""
"""

from ansible.module_utils.basic import AnsibleModule

TRANSPORTS = {"rabbitmq": "pyamqp", "redis": "redis"}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "required": True, "choices": list(TRANSPORTS)},
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "vhost": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        from kombu import Connection  # noqa: PLC0415 - only Airflow's own Python has it
    except ImportError:
        module.fail_json(
            msg="This Python has no kombu; run the module with the Python of Airflow's virtual environment."
        )
    given = module.params
    connection = Connection(
        hostname=given["host"],
        port=given["port"],
        userid=given["user"],
        password=given["password"],
        virtual_host=given["vhost"],
        transport=TRANSPORTS[given["kind"]],
        connect_timeout=given["timeout"],
    )
    errors = (*connection.connection_errors, *connection.channel_errors)
    try:
        with connection:
            connection.connect()
    except errors as error:
        module.fail_json(
            msg=f"The broker at {given['host']}:{given['port']} refuses the account {given['user']} "
            f"on {given['vhost']} ({error}); see group_vars/<env>/broker.yml and broker_password in vault.yml."
        )
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
