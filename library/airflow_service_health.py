#!/usr/bin/python
"""Wait until an Airflow service is not only started but healthy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_service_health
short_description: Wait until an Airflow service is healthy
description:
  - Asks, until the service is healthy or the time is over, for the state of the unit and then for a page or the success
    of a command.
  - A unit that systemd has given up ends the wait at once.
  - Changes nothing. Runs as the account of Airflow.
options:
  unit:
    description: The systemd unit.
    type: str
    required: true
  url:
    description:
      - A page that answers 200 when the service is healthy. When the page is the JSON of the web server's C(/health),
        which always answers 200, the status of its C(metadatabase) must be C(healthy).
      - The certificate of an https page is not looked at, as no secret is sent and a host asks itself by a name that is
        not in it.
    type: str
  command:
    description:
      - A command that returns 0 when the service is healthy; it has the environment of the task.
      - Together with O(url) it is asked only where another process than the unit's answers the page, as one does that
        was started by hand; the page then says nothing about the unit.
    type: list
    elements: str
  timeout:
    description: How long to wait, in seconds.
    type: int
    required: true
attributes:
  check_mode: {support: full, description: Nothing is ever changed.}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Wait for the scheduler
  airflow_service_health:
    unit: airflow-scheduler.service
    url: http://localhost:8974/health
    timeout: 120

- name: Wait for the triggerer
  airflow_service_health:
    unit: airflow-triggerer.service
    command: [airflow, jobs, check, --job-type, TriggererJob, --local]
    timeout: 120
  environment: "{{ airflow_cli_environment }}"
  become: true
  become_user: airflow
"""

RETURN = r"""
seconds:
  description: How long it took until the service was healthy.
  type: float
  returned: success
foreign_page:
  description: Whether another process than the unit's answers the page.
  type: bool
  returned: success
"""

import json
import time
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.airflow_watchdog.schedulers import answers_itself, listening
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

REFUSED = "exec-condition"  # how systemd calls the end of a unit that its ExecCondition did not let start
PAUSE = 2  # seconds; an Airflow command needs two seconds of a core, so asking more often slows the start down


def page_problem(status: int, body: str) -> str:
    """Say what is wrong with the answer of a health page; empty when it tells of a healthy service."""
    if status != 200:
        return f"its health page answers {status}"
    try:
        answer = json.loads(body)
    except ValueError:
        return ""  # the scheduler's own page says everything by its status code
    database = answer.get("metadatabase", {}).get("status", "healthy") if isinstance(answer, dict) else "healthy"
    return "" if database == "healthy" else f"its health page calls the metadata database {database}"


def fetch_problem(url: str) -> str:
    """Ask a health page and say what is wrong; empty when nothing is."""
    try:
        with open_url(url, timeout=10, validate_certs=False) as response:
            return page_problem(response.status, response.read().decode(errors="replace"))
    except HTTPError as error:
        return page_problem(error.code, "")
    except OSError as error:
        return f"its health page {url} does not answer ({error})"


class Probe:
    """The ways to ask one service for its health."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def unit(self, name: str) -> str:
        """Return a property that systemd shows of the unit."""
        show = ["systemctl", "show", f"--property={name}", "--value", self._module.params["unit"]]
        return str(self._module.run_command(show, check_rc=True)[1]).strip()

    def foreign_page(self) -> bool:
        """Say whether somebody else answers the page of a unit that can also be asked otherwise."""
        if not (self._module.params["url"] and self._module.params["command"]):
            return False
        port = urlsplit(self._module.params["url"]).port or 80
        return bool(listening(port)) and not answers_itself(int(self.unit("MainPID")), port, [])

    def given_up(self) -> bool:
        """Say whether systemd does not start the unit any more."""
        return self.unit("ActiveState") == "failed" or self.unit("Result") == REFUSED

    def problem(self) -> str:
        """Say what keeps the service from being healthy; empty when nothing does."""
        state = self.unit("ActiveState")
        if state == "inactive" and self.unit("Result") == REFUSED:
            return "another scheduler keeps it from starting"
        if state != "active":
            return f"systemd calls it {state}"
        if self._module.params["url"] and not self.foreign_page():
            return fetch_problem(self._module.params["url"])
        command = self._module.params["command"]
        code = self._module.run_command(command)[0]
        return f"'{' '.join(command)}' returns {code}" if code else ""


def main() -> None:
    """Ask until the service is healthy."""
    arguments = {
        "unit": {"type": "str", "required": True},
        "url": {"type": "str"},
        "command": {"type": "list", "elements": "str"},
        "timeout": {"type": "int", "required": True},
    }
    module = AnsibleModule(
        argument_spec=arguments,
        supports_check_mode=True,
        required_one_of=[("url", "command")],
    )
    probe, unit, start = Probe(module), module.params["unit"], time.monotonic()
    while problem := probe.problem():
        waited = time.monotonic() - start
        if waited > module.params["timeout"] or probe.given_up():
            module.fail_json(msg=f"{unit} is not healthy after {waited:.0f} s: {problem}; see journalctl -u {unit}.")
        time.sleep(PAUSE)
    foreign = probe.foreign_page()
    if foreign:
        module.warn(
            f"{module.params['url']} is answered by another process, so it says nothing about {unit}; see who holds "
            "the port (ss -ltnp), end that process and restart the unit."
        )
    module.exit_json(changed=False, seconds=round(time.monotonic() - start, 1), foreign_page=foreign)


if __name__ == "__main__":
    main()
