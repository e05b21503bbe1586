"""Run one of our programs inside the Python of the host's own Airflow.

A module can't import Airflow: it runs with the system's Python, Airflow lives in a virtual environment. So the module
sends the program (a file of ``airflow_inside``) and its request to that Python on standard input, where neither shows
in the process list nor lies on disk, and reads one JSON answer. Airflow logs to standard output; while the program
runs, that is standard error, so the answer stays clean.
"""

from __future__ import annotations

import inspect
import json
import os
import pwd
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

ARGUMENTS: dict[str, Any] = {
    "python": {"type": "path", "required": True},
    "user": {"type": "str", "required": True},
    "environment_file": {"type": "path", "required": True},
}
START = """\
import json, os, sys
answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
request = json.load(sys.stdin)
space = {"__name__": "__main__"}
exec(compile(request.pop("program"), "airflow_inside", "exec"), space)
json.dump(space["main"](request), answer)
"""
# Of these the message is shown too; it can't hold a value of the configuration.
SHOWN_ERRORS = ("ImportError", "ModuleNotFoundError", "PermissionError", "SyntaxError")


class InsideError(Exception):
    """The program could not give its answer; the text is one sentence without secrets."""


class CrashError(InsideError):
    """The program came to no answer, so what it did before is not known."""


class NotInstalledError(InsideError):
    """A part of Airflow is not there yet: the account, the Python, the configuration or the tables."""


def run_inside(
    params: dict[str, Any], program: ModuleType, request: dict[str, Any], **environment: str
) -> dict[str, Any]:
    """Return the answer of the program's ``main(request)``.

    :param params: the module's parameters; those of ``ARGUMENTS`` are read.
    :param environment: variables that win over those of the environment file.
    :raises NotInstalledError: when the host has no Airflow yet, or the program answers with ``{"missing": sentence}``.
    :raises CrashError: when Python ends with an error.
    :raises InsideError: when the program answers with ``{"error": sentence}``.
    """
    account = _account(params["user"])
    variables = {**_base_environment(account), **read_environment(Path(params["environment_file"])), **environment}
    _check_installed(Path(params["python"]), variables)
    done = subprocess.run(
        [params["python"], "-c", START],
        input=json.dumps({"program": inspect.getsource(program), **request}),
        env=variables,
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        **_as_account(account),
    )
    if done.returncode:
        raise CrashError(f"The Airflow of {params['python']} failed with {_cause(done.stderr)}.")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "missing" in answer:
        raise NotInstalledError(answer["missing"])
    if "error" in answer:
        raise InsideError(answer["error"])
    return answer


def _account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise NotInstalledError(f"The account {name} does not exist on this host.") from None


def _check_installed(python: Path, variables: dict[str, str]) -> None:
    # Without this Airflow would make itself a new configuration and a new SQLite database, and say nothing.
    config = Path(variables.get("AIRFLOW_CONFIG") or Path(variables.get("AIRFLOW_HOME", "/nonexistent"), "airflow.cfg"))
    for path in (python, config):
        if not path.exists():
            raise NotInstalledError(f"{path} does not exist on this host.")


def read_environment(path: Path) -> dict[str, str]:
    """Return the KEY=VALUE lines of the environment file, nothing when there is no file yet."""
    if not path.exists():
        return {}
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {key.strip(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _base_environment(account: pwd.struct_passwd) -> dict[str, str]:
    return {"HOME": account.pw_dir, "USER": account.pw_name, "PATH": os.defpath, "LANG": "C.UTF-8"}


def _as_account(account: pwd.struct_passwd) -> dict[str, Any]:
    # Airflow's own account, never root, runs what lies in a folder of that account.
    if os.geteuid() != 0:
        return {}
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}


def _cause(stderr: str) -> str:
    # The last line of a traceback. Its message may quote a URL with a password, so most messages stay out.
    last = stderr.strip().splitlines()[-1] if stderr.strip() else "no message"
    kind = last.partition(":")[0]
    return last if kind.rpartition(".")[2] in SHOWN_ERRORS else kind
