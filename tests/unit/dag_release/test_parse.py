"""What becomes of the process that loads a tree; here programs stand for Airflow and say what they were given."""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_ops.dag_release.agent.parse import death, harmless, parse
from airflow_ops.dag_release.agent.place import AgentError

START = """
import json, os, signal, sys
order = json.loads(sys.argv[1])
def answer(**values):
    with open(order["answer"], "w") as file:
        json.dump({"errors": {}, **values}, file)
for name in ("a.py", "b.py", "c.py"):
    if name in order["skip"]:
        continue
    with open(order["at"], "w") as file:
        file.write(name)
"""
SAYS_ITS_ENVIRONMENT = f"{START}\nos.remove(order['at'])\nanswer(variables=dict(os.environ))"
CONFIGURATION = """\
[core]
fernet_key = SECRET
Executor = CeleryExecutor
long = one
    two % three
[database]
sql_alchemy_conn = mysql://airflow:SECRET@mn01p/airflow
sql_alchemy_conn_cmd = cat SECRET
[celery]
broker_url = amqp://airflow:SECRET@mn01p
result_backend = db+mysql://airflow:SECRET@mn01p
worker_concurrency = 4
[webserver]
secret_key = SECRET
[secrets]
backend = SECRET
[smtp]
smtp_password = SECRET
"""


def run(
    program: str, environment: dict[str, str] | None = None, limit: float = 60, offline: bool = True
) -> dict[str, Any]:
    environment = environment or {}
    request = {
        "program": program,
        "python": sys.executable,
        "environment": environment,
        "limit": limit,
        "compile": True,
    }
    return parse(request, "/tree", offline, threading.Event())


def test_what_is_staged_gets_neither_the_database_nor_a_key(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text(CONFIGURATION)
    given = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__FERNET_KEY": "SECRET",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "SECRET",
        "AIRFLOW_CONN_SALES": "SECRET",
        "SPARK_HOME": "/opt/spark",
    }
    program = SAYS_ITS_ENVIRONMENT.replace(
        "dict(os.environ)", "dict(os.environ), config=open(os.environ['AIRFLOW_CONFIG']).read()"
    )
    seen = run(program, given)
    assert "SECRET" not in json.dumps(seen)
    assert seen["variables"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith("sqlite:///")
    assert seen["variables"]["AIRFLOW__CORE__DAGS_FOLDER"] == "/tree"
    assert seen["variables"]["AIRFLOW_HOME"] == str(tmp_path)
    assert seen["variables"]["SPARK_HOME"] == "/opt/spark"
    assert "worker_concurrency = 4" in seen["config"]


def test_of_what_is_withheld_the_program_is_told_the_names(tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_text(CONFIGURATION)
    given = {"AIRFLOW_HOME": str(tmp_path), "SFTP_PASSWORD": "SECRET", "SPARK_HOME": "/opt/spark"}
    program = f"{START}\nanswer(said=sys.argv, withheld=order['withheld'])"
    seen = run(program, given)
    assert "SECRET" not in "".join(seen["said"]).replace("WEBSERVER__SECRET_KEY", "").replace("__SECRETS__", "")
    assert {"SFTP_PASSWORD", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__SECRETS__BACKEND"} <= {*seen["withheld"]}
    assert "SPARK_HOME" not in seen["withheld"]
    assert run(program, given, offline=False)["withheld"] == []


def test_what_is_live_runs_as_it_does_in_the_scheduler() -> None:
    given = {"AIRFLOW_HOME": "/home", "AIRFLOW_CONN_SALES": "known"}
    assert run(SAYS_ITS_ENVIRONMENT, given, offline=False)["variables"].items() >= given.items()


def test_an_airflow_without_configuration_does_not_write_one_into_its_home() -> None:
    config = run(SAYS_ITS_ENVIRONMENT, {"AIRFLOW_HOME": "/nonexistent"})["variables"]["AIRFLOW_CONFIG"]
    assert not config.startswith("/nonexistent")


def test_a_configuration_keeps_what_is_no_secret() -> None:
    kept, names = harmless(CONFIGURATION)
    assert "AIRFLOW__SMTP__SMTP_PASSWORD" in names
    assert "SECRET" not in kept
    assert "two % three" in kept
    assert "CeleryExecutor" in kept


def test_a_configuration_that_is_none_is_one_sentence() -> None:
    with pytest.raises(AgentError, match=r"its airflow\.cfg cannot be read"):
        harmless("no section\n")


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(0)", "(exit code 0)"),
        ("os._exit(7)", "(exit code 7)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "(Killed)"),
        ("os.abort()", "(Aborted)"),
    ],
)
def test_a_file_that_ends_the_process_is_named_and_the_others_are_loaded(end: str, how: str) -> None:
    program = f"{START}\n    if name != 'b.py':\n        {end}\nanswer(skipped=order['skip'])"
    found = run(program)
    assert found["skipped"] == ["a.py", "c.py"]
    told = f"it ends Airflow's process while it is loaded {how}"
    assert found["errors"] == {"a.py": told, "c.py": told}


def test_a_file_that_takes_all_the_time_is_named() -> None:
    program = f"{START}\n    if name == 'a.py':\n        os._exit(0)\n    import time; time.sleep(600)"
    with pytest.raises(AgentError, match=r"within 2 s \(dag_release_parse_timeout\); it was at b.py after a.py had"):
        run(program, limit=2)


def test_an_airflow_that_ends_for_itself_is_one_sentence() -> None:
    with pytest.raises(AgentError, match=r"ended without an answer \(no such module\)"):
        run("import sys; sys.exit('no such module')")


def test_nothing_that_was_started_is_left() -> None:
    program = f"{START}\nimport subprocess\nchild = subprocess.Popen(['sleep', '600'])\nanswer(child=child.pid)"
    child = run(program)["child"]
    until = time.monotonic() + 30  # it was told to end, on a machine that may be busy
    while is_alive(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits for its parent to ask does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


DUMP = """\
WARNING - something of Airflow's own
{headline}

Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 517 in string_at
  File "/tree/p/a.py", line 7 in load
  File "/tree/p/a.py", line 9 in <module>
"""


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (0, "WARNING", "it ends Airflow's process while it is loaded (exit code 0)"),
        (
            -11,
            DUMP.format(headline="Fatal Python error: Segmentation fault"),
            'File "p/a.py", line 7\nit ends Airflow\'s process while it is loaded (Segmentation fault)',
        ),
        (
            1,
            DUMP.format(headline="Timeout (0:00:50)!"),
            'File "p/a.py", line 7\nit was not loaded within 0:00:50 (core.dag_file_processor_timeout)',
        ),
    ],
)
def test_how_a_file_ends_the_process(code: int, said: str, told: str) -> None:
    assert death(code, said, "/tree/p/a.py", "p/a.py") == told
