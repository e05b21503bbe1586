"""Have the host's own Airflow load a tree, in a process of its own with a time limit."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from airflow_ops.dag_release.agent.place import AgentError

POLL = 0.05  # seconds
# Options and sections of airflow.cfg, and variables, that hold what the cluster keeps secret.
SECRET = re.compile(
    r"passw|secret|token|credential|dsn|_key$|_conn$|broker_url|result_backend|kwargs|engine_args|basic_auth"
    r"|_cmd$|^airflow_conn_",
    re.IGNORECASE,
)


def parse(request: dict[str, Any], tree: str, offline: bool, gone: threading.Event) -> dict[str, Any]:
    """Return what Airflow finds in the folder `tree`.

    All files are loaded in one process. One that ends it is left out from then on, and told as an error of that file.

    :param request: `program`, the source of what runs inside Airflow; `python`, the one of the host's Airflow;
        `environment`, the variables of Airflow's command line; `limit`, seconds after which the process is ended;
        `compile`, whether modules that DAGs import later must compile; `plugins`, the folder of those of the tree,
        empty where the host has its own.
    :param offline: shut it off from the metadata database, by an empty one of its own.
    :param gone: set when the controller is gone, and nobody waits for the answer any more.
    """
    plugins = request.get("plugins")
    python, until = request["python"], time.monotonic() + request["limit"]
    if not os.access(python, os.X_OK):
        raise AgentError(f"it has no Airflow ({python} is missing); run site.yml, or set dag_release_parse to false")
    ended: dict[str, str] = {}
    while True:
        with tempfile.TemporaryDirectory(prefix="dag-release-parse-") as folder:
            answer, at = Path(folder, "answer.json"), Path(folder, "at")
            variables, withheld = environment(request["environment"], folder, tree, offline)
            order = {"tree": tree, "answer": str(answer), "at": str(at), "offline": offline, "skip": list(ended)}
            command = [python, "-", json.dumps({**order, "withheld": withheld, "compile": request["compile"]})]
            variables |= {"AIRFLOW__CORE__PLUGINS_FOLDER": plugins} if offline and plugins else {}
            code, said = run(command, request["program"], variables, until, gone)
            if answer.exists():
                result = dict(json.loads(answer.read_text("utf-8")))
                return {**result, "errors": {**result["errors"], **ended}}
            name = at.read_text("utf-8", "surrogateescape") if at.exists() else ""
        if code is None:
            after = f" after {', '.join(ended)} had ended it" if ended else ""
            where = f"; it was at {name}{after}" if name else ""
            raise AgentError(
                f"Airflow did not load the tree within {request['limit']:.0f} s (dag_release_parse_timeout){where}"
            )
        if not name or name in ended:
            last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no message")
            raise AgentError(f"Airflow ended without an answer ({last})")
        ended[name] = death(code, said, f"{tree}/{name}", name)


def death(code: int, said: str, path: str, name: str) -> str:
    """Return how a file ended the process that loaded it, with its line where Python could tell.

    :param code: its exit code, negative when it was a signal.
    :param said: what it said, at the end perhaps the frames in which it was, the innermost first.
    """
    dumped = re.search(r"^(?:Timeout \((.*)\)!|Fatal Python error: .*)$", said, re.MULTILINE)
    line = re.search(rf'File "{re.escape(path)}", line \d+', said[dumped.start() :]) if dumped else None
    ended = signal.strsignal(-code) if code < 0 else f"exit code {code}"
    how = f"it ends Airflow's process while it is loaded ({ended})"
    if dumped and dumped[1]:
        how = f"it was not loaded within {dumped[1]} (core.dag_file_processor_timeout)"
    return f"{line[0].replace(path, name)}\n{how}" if line else how


def environment(given: dict[str, str], folder: str, tree: str, offline: bool) -> tuple[dict[str, str], list[str]]:
    """Return the variables of the process, and the names of what is withheld: what is only staged gets no secret.

    An option of airflow.cfg has the name of the variable that would stand for it.
    """
    variables = {"HOME": folder, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **given}
    if not offline:
        return variables, []
    withheld = [name for name in variables if SECRET.search(name)]
    home = Path(given.get("AIRFLOW_HOME", "/nonexistent"))
    configuration = Path(folder, "airflow.cfg")  # where there is none, Airflow would write its own into AIRFLOW_HOME
    if (home / "airflow.cfg").exists():
        text, options = harmless((home / "airflow.cfg").read_text("utf-8"))
        configuration.write_text(text, encoding="utf-8")
        withheld += options
    kept = {
        **{name: value for name, value in variables.items() if name not in withheld},
        "AIRFLOW_CONFIG": str(configuration),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/none.db",
        "AIRFLOW__CORE__DAGS_FOLDER": tree,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACKS": "True",
        "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "50",  # down to a line of the tree
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{folder}/logs",
        "AIRFLOW__METRICS__STATSD_ON": "False",
    }
    return kept, withheld


def harmless(text: str) -> tuple[str, list[str]]:
    """Return an airflow.cfg without what it keeps secret, and the names of that."""
    import configparser  # noqa: PLC0415 - most runs parse on two hosts only

    have, kept = configparser.RawConfigParser(strict=False), io.StringIO()
    try:
        have.read_string(text)
    except configparser.Error as error:
        raise AgentError(f"its airflow.cfg cannot be read ({error}); run playbooks/config.yml") from error
    withheld = []
    for section in have.sections():
        for name in list(have[section]):
            # The section [secrets] has the address of a backend that would hand them out.
            if section == "secrets" or SECRET.search(name):
                have.remove_option(section, name)
                withheld.append(f"AIRFLOW__{section}__{name}".upper())
    have.write(kept)
    return kept.getvalue(), withheld


def run(
    command: list[str], program: str, variables: dict[str, str], until: float, gone: threading.Event
) -> tuple[int | None, str]:
    """Run a program given on standard input; return its exit code, None at the limit, and what it said.

    It and its children end at the limit, and children that it leaves behind.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as said:
        source.write(program.encode())
        source.seek(0)
        process = subprocess.Popen(
            command, stdin=source, stdout=said, stderr=said, env=variables, cwd="/", start_new_session=True
        )
        while process.poll() is None and time.monotonic() < until and not gone.wait(POLL):
            pass
        code = process.poll()
        with contextlib.suppress(ProcessLookupError):  # it left nobody
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.seek(0)
        return code, said.read().decode(errors="replace")
