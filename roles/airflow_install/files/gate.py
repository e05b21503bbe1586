"""Prove that this environment can run tasks with Celery; ends with an error when it cannot.

Two releases of packages broke this without any other sign: an executor that does not import (the command line then only
logs an error and exits 0), and a scheduler that sends a task name which no worker registers. So the executor is loaded
as the scheduler loads it, sends one task to a broker in memory, and the name it sent is looked up where a worker looks.
Run by the environment's own Python; needs neither configuration nor network.
"""

import os
import sys
import tempfile

SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Only its kind is looked at: Celery's executor refuses SQLite. Nothing connects.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "mysql+mysqldb://nobody@localhost/none",
    "AIRFLOW__CELERY__BROKER_URL": "memory://",
    "AIRFLOW__CELERY__RESULT_BACKEND": "cache+memory://",
    "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
}


# Airflow reads its settings when it is imported, hence the imports inside the functions.
# ruff: noqa: PLC0415


def registered_names():
    """The names of the tasks that a worker registers; asked before the executor adds its own to the process."""
    from airflow.providers.celery.executors.celery_executor import app

    app.finalize()
    return set(app.tasks)


def sent_names():
    """Let the executor send one task; return the names under which Celery published it."""
    from airflow.executors.executor_loader import ExecutorLoader
    from airflow.models.taskinstancekey import TaskInstanceKey
    from celery.signals import before_task_publish

    names = []

    def remember(sender=None, **_):
        names.append(sender)

    before_task_publish.connect(remember)
    executor = ExecutorLoader.import_default_executor_cls()[0]()
    command = ["airflow", "tasks", "run", "gate", "gate", "gate"]
    executor.start()
    key = TaskInstanceKey("gate", "gate", "gate")
    executor.queued_tasks[key] = (command, 1, "default", None)
    executor._process_tasks([(key, command, "default", None)])
    return names


def main():
    """Return a sentence when the environment cannot run tasks, otherwise nothing."""
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(SETTINGS, AIRFLOW_HOME=home)
        registered, sent = registered_names(), sent_names()
    if not sent:
        return "The Celery executor sent nothing: its packages do not fit this Airflow."
    if unknown := sorted(set(sent) - registered):
        return f"The scheduler sends {unknown}, which no worker registers: take another release of the celery provider."
    return None


sys.exit(main())
