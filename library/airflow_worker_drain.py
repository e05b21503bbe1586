#!/usr/bin/python
"""Ansible module: drain a Celery worker, or let it take tasks again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_worker_drain
short_description: Drain a Celery worker, or let it take tasks again
description:
  - Drains the worker of this host. It takes no more tasks, and the module waits for those that it has. None is ended.
  - When the time is over and tasks still run, they are named, and the worker takes tasks again unless I(force).
  - A worker that does not answer (it hangs, or the broker is down) is reported, not waited for. One that falls silent
    later is waited for as one whose tasks run.
  - Fails when the worker should take tasks again and does not say that it takes them from all of its queues.
  - A note in C(/run) says that the worker is drained, until it is resumed or restarted, so that one that a killed run
    left so is found. A second note says that it was resumed; Celery forgets such queues when it connects to the broker
    again, so only a restart makes the worker whole.
  - The action of the same name calls the module as often as needed and shows what it waits for.
options:
  worker:
    description: The name of the worker, as celery@dn01p.
    type: str
    required: true
  queues:
    description: The queues that the worker takes tasks from when it is not drained.
    type: list
    elements: str
    required: true
  state:
    description: What the worker is to be.
    type: str
    choices: [drained, resumed]
    default: drained
  left:
    description: How long to wait for the tasks, in seconds.
    type: float
    default: 600
  force:
    description: Whether the worker stays drained although tasks still run when the time is over.
    type: bool
    default: false
  begun:
    description: Whether an earlier call has begun this drain; the action gives it.
    type: bool
    default: false
  seen:
    description: Tasks that were shown already; the action gives them.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full, description: Only looks which tasks run.}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Drain the worker
  airflow_worker_drain:
    worker: celery@dn01p
    queues: [default, dn01p]
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
answers:
  description: Whether the worker answered.
  type: bool
  returned: success
taking:
  description: Whether the worker was seen to take tasks again.
  type: bool
  returned: success
busy:
  description: The tasks that still run although the time is over.
  type: list
  elements: str
  returned: success
tasks:
  description: The tasks that run.
  type: list
  elements: str
  returned: in check mode
again:
  description: Arguments of the next call while tasks run and time is left, else null.
  type: dict
  returned: success
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_inside import worker_drain as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, run_inside
from ansible.module_utils.basic import AnsibleModule

# Only in memory, as the drain itself. airflow_service_state reads it: a worker that started later is not drained.
NOTE = Path("/run/airflow-worker-drained")
RESUMED = Path("/run/airflow-worker-resumed")
SPEC: dict[str, Any] = {
    "worker": {"type": "str", "required": True},
    "queues": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["drained", "resumed"], "default": "drained"},
    "left": {"type": "float", "default": 600},
    "force": {"type": "bool", "default": False},
    "begun": {"type": "bool", "default": False},
    "seen": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Let Airflow's Celery drain the worker."""
    module = AnsibleModule({**ARGUMENTS, **SPEC}, supports_check_mode=True)
    resume = module.params["state"] == "resumed"
    if resume and module.check_mode:
        module.exit_json(changed=True, answers=True, taking=True, busy=[], lines=[], again=None)
    request = {**{name: module.params[name] for name in SPEC}, "resume": resume, "check": module.check_mode}
    noted = NOTE.exists()
    if not (module.check_mode or resume):
        NOTE.touch()  # first: a run that is killed now leaves a note too many, never one too few
    try:
        answer = run_inside(module.params, program, request)
    except InsideError as error:
        module.fail_json(msg=f"The worker {module.params['worker']} cannot be drained. {error}")
    if not module.check_mode:
        keep_notes(answer["taking"], untouched=not (noted or answer["answers"]))
    if (resume or (answer["busy"] and not module.params["force"])) and not answer["taking"]:
        module.fail_json(msg=silent(module.params["worker"], module.params["queues"], answer["busy"]), **answer)
    module.exit_json(changed=resume, **answer)


def keep_notes(taking: bool, untouched: bool) -> None:
    """Note what a worker is now; ``untouched`` is one that did not answer and was not drained before either."""
    if taking:
        RESUMED.touch()
    if taking or untouched:
        NOTE.unlink(missing_ok=True)


def silent(worker: str, queues: list[str], busy: list[str]) -> str:
    """Say that a worker should take tasks again and does not."""
    running = f" It still runs {', '.join(busy)}." if busy else ""
    return (
        f"The worker {worker} does not say that it takes tasks from {', '.join(queues)} again.{running} See whether it "
        "and the broker run, then start.yml lets it take tasks, or restart.yml starts it anew."
    )


if __name__ == "__main__":
    main()
