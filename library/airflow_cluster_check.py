#!/usr/bin/python
"""Prove that every worker runs tasks and that the web server shows their logs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_cluster_check
short_description: Prove that every worker runs tasks and that the web server shows their logs
description:
  - Triggers the DAG C(airflow_ops_check), which has one task on the own queue of each worker, waits for the tasks and
    reads their logs, all through the REST API of the web server, which fetches the logs from the workers.
  - A worker that does not do its part is reported, it does not make the module fail. What keeps the whole check from
    being made does - a web server that does not answer, a wrong password, a DAG that is not there.
  - Tasks that were not taken in time are ended, so that a worker that comes back does not run them late.
options:
  url:
    description: The web server. The certificate of an https address is verified unless the address is localhost.
    type: str
    required: true
  username:
    description: A user of the web server with the role Admin or Op.
    type: str
    required: true
  password:
    description: The user's password.
    type: str
    required: true
  workers:
    description: The workers that must run a task, by the names of their queues, which are their host names.
    type: list
    elements: str
    required: true
  dags_folder:
    description: The dags folder of this host, to tell a DAG that was never deployed from one that is not read yet.
    type: path
    required: true
  timeout:
    description: How long the whole check may take, in seconds.
    type: int
    required: true
attributes:
  check_mode:
    support: full
    description: Nothing is triggered.
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Run a task on both workers
  airflow_cluster_check:
    url: http://localhost:8080
    username: admin
    password: "{{ airflow_ui_passwords.admin }}"
    workers: [dn01p, dn02p]
    dags_folder: /usr/hmg/2.2.1.0-552/airflow/dags
    timeout: 120
"""

RETURN = r"""
lines:
  description: One line for each worker, what it did or what is wrong with it.
  type: list
  elements: str
  returned: not in check mode
problems:
  description: The lines of the workers that did not run their task, or whose log the web server cannot show.
  type: list
  elements: str
  returned: not in check mode
run_id:
  description: The run of the DAG.
  type: str
  returned: not in check mode
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DAG = "airflow_ops_check"
PAUSE = 2  # seconds between two looks
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


class CheckError(Exception):
    """What keeps the whole check from being made, in one sentence."""


def is_local(url: str) -> bool:
    """Tell whether an address never leaves the host, so that a certificate for another name does no harm."""
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def refusal(status: int, username: str) -> str:
    """Say what a status of the web server means for the check; it answers a wrong password with 401 or 403."""
    if status in (401, 403):
        return (
            f"The web server refuses user '{username}' ({status}): see its password in airflow_ui_passwords (vault) "
            "and the role in airflow_ui_users."
        )
    return f"The web server answers {status}: see journalctl -u airflow-webserver on its host."


def unread_workers(tasks: Sequence[Mapping[str, Any]], workers: Sequence[str]) -> list[str]:
    """Return the workers for which the DAG that the scheduler has read holds no task."""
    queues = {task["queue"] for task in tasks}
    return [worker for worker in workers if worker not in queues]


def task_problem(instance: Mapping[str, Any] | None, log: str) -> str:
    """Say what is wrong with the task of one worker; empty when nothing is."""
    state = (instance or {}).get("state") or "not scheduled"
    if state == "running":
        return "its task started and did not end in time"
    if state not in ENDED:
        return f"its task was not taken in time ({state}): the worker is down, busy or does not listen on its queue"
    if state != "success":
        return f"its task ended as {state}"
    return "" if f"{DAG} ran on" in log else "its task ran, but the web server cannot show its log"


def worker_line(worker: str, instance: Mapping[str, Any] | None, problem: str) -> str:
    """Return the line of one worker."""
    if problem or not instance:
        return f"{worker}: {problem}"
    return f"{worker}: ran on {instance['hostname']} in {instance['duration'] or 0:.1f} s, log read"


def by_queue(instances: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return task instances by their queue."""
    return {instance["queue"]: instance for instance in instances}


class Web:
    """The REST API of the web server."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._base = f"{url}/api/v1/dags/{DAG}"
        self._url, self._username, self._password = url, username, password

    def call(
        self, path: str, method: str = "GET", data: object = None, accept: str = "application/json"
    ) -> tuple[int, str]:
        """Return status and body of an answer; refuse what the check cannot go on with."""
        try:
            with open_url(
                f"{self._base}{path}",
                method=method,
                data=None if data is None else json.dumps(data),
                headers={"Content-Type": "application/json", "Accept": accept},
                url_username=self._username,
                url_password=self._password,
                force_basic_auth=True,
                validate_certs=not is_local(self._url),
                timeout=30,
            ) as response:
                return response.status, response.read().decode(errors="replace")
        except HTTPError as error:
            if error.code == 404:
                return error.code, ""
            raise CheckError(refusal(error.code, self._username)) from error
        except OSError as error:
            raise CheckError(f"The web server {self._url} does not answer: {error}.") from error

    def json(self, path: str, **options: Any) -> Any:
        """Return the content of an answer; None when there is no such thing."""
        status, body = self.call(path, **options)
        return None if status == 404 else json.loads(body)


class Check:
    """One check of the cluster."""

    def __init__(self, web: Web, workers: Sequence[str], timeout: int) -> None:
        self._web, self._workers = web, workers
        self._deadline = time.monotonic() + timeout
        self.run_id = f"check_{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}_{secrets.token_hex(2)}"

    def _wait(self, done: Callable[[], bool]) -> bool:
        """Wait until something is done; False when the time is over."""
        while not done():
            if time.monotonic() > self._deadline:
                return False
            time.sleep(PAUSE)
        return True

    def _unread(self) -> list[str]:
        tasks = self._web.json("/tasks")
        return list(self._workers) if tasks is None else unread_workers(tasks["tasks"], self._workers)

    def _instances(self) -> dict[str, Mapping[str, Any]]:
        return by_queue(self._web.json(f"/dagRuns/{self.run_id}/taskInstances?limit=1000")["task_instances"])

    def _ended(self) -> bool:
        instances = self._instances()
        return all(instances.get(worker, {}).get("state") in ENDED for worker in self._workers)

    def _log(self, instance: Mapping[str, Any] | None) -> str:
        if not instance or instance["state"] != "success":
            return ""
        path = f"/dagRuns/{self.run_id}/taskInstances/{quote(instance['task_id'])}/logs/{instance['try_number']}"
        return self._web.call(f"{path}?full_content=true", accept="text/plain")[1]

    def make(self) -> tuple[list[str], list[str]]:
        """Run the tasks; return a line for each worker, and those of the workers that failed."""
        if not self._wait(lambda: not self._unread()):
            missing = ", ".join(self._unread())
            raise CheckError(f"The scheduler has not read the task of {missing} in DAG {DAG}: does it run?")
        self._web.json("", method="PATCH", data={"is_paused": False})
        self._web.json("/dagRuns", method="POST", data={"dag_run_id": self.run_id})
        in_time = self._wait(self._ended)
        instances = self._instances()
        if not in_time:
            self._web.json(f"/dagRuns/{self.run_id}", method="PATCH", data={"state": "failed"})
        problems = {
            worker: task_problem(instances.get(worker), self._log(instances.get(worker))) for worker in self._workers
        }
        lines = {worker: worker_line(worker, instances.get(worker), problem) for worker, problem in problems.items()}
        return list(lines.values()), [line for worker, line in lines.items() if problems[worker]]


def main() -> None:
    """Check the cluster and report."""
    arguments = {
        "url": {"type": "str", "required": True},
        "username": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "workers": {"type": "list", "elements": "str", "required": True},
        "dags_folder": {"type": "path", "required": True},
        "timeout": {"type": "int", "required": True},
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    options = module.params
    if module.check_mode:
        module.exit_json(changed=False)
    if not (Path(options["dags_folder"]) / f"{DAG}.py").is_file():
        module.fail_json(msg=f"DAG {DAG} is not in {options['dags_folder']}: deploy the DAGs first (deploy_dags.yml).")
    web = Web(options["url"], options["username"], options["password"])
    check = Check(web, options["workers"], options["timeout"])
    try:
        lines, problems = check.make()
    except CheckError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, lines=lines, problems=problems, run_id=check.run_id)


if __name__ == "__main__":
    main()
