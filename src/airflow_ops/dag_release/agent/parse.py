"""Have the host's own Airflow load a tree, in a process of its own with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.place import AgentError

POLL = 0.05  # seconds


def parse(request: dict[str, Any], tree: str, offline: bool, gone: threading.Event) -> dict[str, Any]:
    """Return what Airflow finds in the folder `tree`.

    :param request: `program`, the source of what runs inside Airflow; `python`, the one of the host's Airflow;
        `environment`, the variables of Airflow's command line; `limit`, seconds after which the process is ended.
    :param offline: shut it off from the metadata database, by an empty one of its own.
    :param gone: set when the controller is gone, and nobody waits for the answer any more.
    """
    python, environment = request["python"], request["environment"]
    if not os.access(python, os.X_OK):
        raise AgentError(f"it has no Airflow ({python} is missing); run site.yml, or set dag_release_parse to false")
    with tempfile.TemporaryDirectory(prefix="dag-release-parse-") as folder:
        variables = {"HOME": folder, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **environment}
        variables.update(throw_away(folder, tree, environment.get("AIRFLOW_HOME", "/nonexistent")) if offline else {})
        answer = Path(folder, "answer.json")
        order = json.dumps({"tree": tree, "answer": str(answer), "offline": offline})
        said = run([python, "-", order], request["program"], variables, request["limit"], gone)
        if not answer.exists():
            last = next((line for line in reversed(said.splitlines()) if line.strip()), "no message")
            raise AgentError(f"Airflow ended without an answer ({last.strip()})")
        return dict(json.loads(answer.read_text("utf-8")))


def throw_away(folder: str, tree: str, home: str) -> dict[str, str]:
    """Return the variables that keep Airflow away from everything but the tree and its configuration."""
    config = {} if Path(home, "airflow.cfg").exists() else {"AIRFLOW_CONFIG": f"{folder}/airflow.cfg"}
    return {
        **config,  # without one Airflow would write its own into AIRFLOW_HOME
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/none.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "",
        "AIRFLOW__CORE__DAGS_FOLDER": tree,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{folder}/logs",
        "AIRFLOW__METRICS__STATSD_ON": "False",
    }


def run(command: list[str], program: str, variables: dict[str, str], limit: float, gone: threading.Event) -> str:
    """Run a program given on standard input and return what it said; it and its children end at the limit."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as said:
        source.write(program.encode())
        source.seek(0)
        process = subprocess.Popen(
            command, stdin=source, stdout=said, stderr=said, env=variables, cwd="/", start_new_session=True
        )
        until = time.monotonic() + limit
        while process.poll() is None and time.monotonic() < until and not gone.wait(POLL):
            pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AgentError(f"Airflow did not load the tree within {limit:.0f} s (dag_release_parse_timeout)")
        said.seek(0)
        return said.read().decode(errors="replace")
