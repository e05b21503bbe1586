"""Whole commands with real playbooks on this machine: what is printed, kept and returned."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import airflow_ops
from airflow_ops.cli import verbs

MARKER = "t0p-s3cret-marker"
# The command with verbs of the test's own.
DRIVER = """
import sys
from pathlib import Path
from airflow_ops.cli import verbs
conf = verbs.Option("--conf", "x_conf", "JSON", verbs.values.conf)
own = [verbs.Verb(path.stem, str(path), "A verb of the tests.", (conf,),
                  state="seen", confirmed="x_confirmed" if path.stem == "careful" else "",
                  expected="x_expected" if path.stem == "careful" else "", looks=path.stem == "seen",
                  once="look first" if path.stem.startswith("once") else "")
       for path in sorted(Path(sys.argv.pop(1)).glob("*.yml"))]
verbs.VERBS += tuple(own)
verbs.BY_NAME.update({verb.name: verb for verb in own})
from airflow_ops.cli.command import main
sys.exit(main())
"""
# A module that tells which plan it made.
DIGEST_OF = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}, supports_check_mode=True).exit_json(digest="0123abcd")
"""
TOUCHED = "{{ playbook_dir }}/touched_{{ inventory_hostname }}"
TASKS: dict[str, list[dict[str, Any]]] = {
    "good": [
        {"name": "Change something", "ansible.builtin.file": {"path": TOUCHED, "state": "touch", "mode": "0600"}},
        {"name": "Tell", "ansible.builtin.debug": {"msg": "Hello from {{ inventory_hostname }}"}, "run_once": True},
    ],
    "bad": [
        {"name": "Change one", "ansible.builtin.command": "true", "changed_when": True},
        {"name": "Fail on two", "ansible.builtin.fail": {"msg": "no luck"}, "when": "inventory_hostname == 'two'"},
    ],
    "bad_all": [
        {"name": "Do", "ansible.builtin.command": "true", "changed_when": False},
        {"name": "Fail", "ansible.builtin.fail": {"msg": "no"}},
    ],
    "hidden": [
        {"name": "Do", "ansible.builtin.command": "true"},
        {"name": "Leak", "ansible.builtin.fail": {"msg": f"bad {MARKER}"}, "no_log": True},
    ],
    "conf": [
        {"name": "Do", "ansible.builtin.command": "true"},
        {"name": "Say it", "ansible.builtin.debug": {"msg": "{{ x_conf }}"}},
        {"name": "Fail with it", "ansible.builtin.fail": {"msg": "{{ x_conf }}"}},
    ],
    "said": [{"name": "Say", "ansible.builtin.debug": {"msg": "{{ x_conf | to_json }}"}, "run_once": True}],
    "once": [
        {"name": "Do", "ansible.builtin.command": "true"},
        {"name": "Wait", "ansible.builtin.fail": {"msg": "not finished"}, "when": "not ansible_check_mode"},
    ],
    "once_slow": [{"name": "Sleep", "ansible.builtin.command": "sleep 60"}],
    "refuses": [{"name": "Check", "ansible.builtin.assert": {"that": "false", "fail_msg": "This cannot be meant."}}],
    "slow": [{"name": "Sleep", "ansible.builtin.command": "sleep 60"}],
    "careful": [
        {"name": "Need it", "ansible.builtin.assert": {"that": "ansible_check_mode or x_confirmed"}},
        {"name": "Plan", "digest_of": {}},
        {"name": "Tell", "ansible.builtin.debug": {"msg": "expected {{ x_expected | default('nothing') }}"}},
    ],
    "seen": [{"name": "Look", "ansible.builtin.debug": {"msg": "all is quiet"}, "run_once": True}],
}  # fmt: skip


@dataclass
class Place:
    """A folder with inventories, playbooks and the state of a test."""

    folder: Path

    def argv(self, *line: str) -> list[str]:
        return [sys.executable, "-c", DRIVER, str(self.folder / "playbooks"), *line]

    @property
    def variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "AIRFLOW_OPS_INVENTORIES": str(self.folder / "inventories"),
            "AIRFLOW_OPS_STATE": str(self.folder / "state"),
            "TMPDIR": str(self.folder / "tmp"),
            "LEAK": MARKER,
        }

    def run(self, *line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*line), env=self.variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    def typed(self, answer: str, *line: str) -> tuple[int, str]:
        """Run on a terminal, answer the question, and return the exit code and what the terminal showed."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.argv(*line), env=self.variables | {"TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            shown = ""
            while True:
                try:
                    shown += os.read(ours, 4096).decode(errors="replace")
                except OSError:  # the terminal is closed
                    break
                if answer and "[y/N]" in shown:
                    os.write(ours, f"{answer}\n".encode())
                    answer = ""
        os.close(ours)
        return process.returncode, shown

    def texts(self) -> str:
        """Return all that is left in files."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and "playbooks" not in path.parts]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def record(self) -> dict[str, Any]:
        (path,) = self.folder.glob("state/runs/*/record.json")
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    for folder in ("inventories", "playbooks", "tmp"):
        (tmp_path / folder).mkdir()
    inventories = {
        "dev": {"dev": {"hosts": {"one": here, "two": here}}},
        "lost": {"dev": {"hosts": {"one": here, "two": away}}},
        "prod": {"prod": {"hosts": {"one": here, "two": here}}},
        "live": {"everything": {"children": {"prod": {"hosts": {"one": here}}}}},
    }
    for name, content in inventories.items():
        (tmp_path / f"inventories/{name}.yml").write_text(yaml.safe_dump(content))
    for name, tasks in TASKS.items():
        play = {"name": "Test", "hosts": "all", "gather_facts": False, "tasks": tasks}
        (tmp_path / f"playbooks/{name}.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "playbooks/library").mkdir()
    (tmp_path / "playbooks/library/digest_of.py").write_text(DIGEST_OF)
    return Place(tmp_path)


def test_progress_goes_to_stderr_and_what_the_playbook_shows_to_stdout(place: Place) -> None:
    done = place.run("good")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Hello from one\n"
    assert "Change something" in done.stderr
    assert "good on dev: done in " in done.stderr
    assert "changed one, two; record " in done.stderr
    assert "\x1b" not in done.stderr
    record = place.record()
    assert (record["verb"], record["outcome"], record["hosts"]["two"]["state"]) == ("good", "done", "changed")
    log = next(place.folder.glob("state/runs/*/log")).read_text()
    assert "PLAY RECAP" in log
    assert "unable to load" not in log


def test_machines_get_one_json_document(place: Place) -> None:
    done = place.run("bad", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == answer["exit_code"] == 4
    assert answer["outcome"] == "partly"
    assert answer["failures"] == [{"host": "two", "role": "", "task": "Fail on two", "message": "no luck", "kind": ""}]
    assert answer["hosts"]["one"]["state"] == "changed"


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        (["bad_all"], 2, "FAILED  one: Fail: no"),
        (["bad_all", "-e", "lost"], 3, "FAILED  two: Do: Failed to connect"),
        (["good", "-e", "lost"], 4, "changed one; record"),
        (["refuses"], 5, "This cannot be meant."),
        (["good", "-l", "nowhere"], 5, "Could not match supplied host pattern"),
        (["good", "-l", "one,tow"], 5, "Could not match supplied host pattern, ignoring: tow"),
    ],
)
def test_the_exit_code_tells_what_happened(place: Place, line: list[str], code: int, sentence: str) -> None:
    done = place.run(*line)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_is_resumed_on_the_hosts_that_failed(place: Place) -> None:
    place.run("bad")
    done = place.run("runs", "resume", "last", "--json")
    answer = json.loads(done.stdout)
    assert (answer["exit_code"], list(answer["hosts"])) == (2, ["two"])
    assert json.loads(place.run("runs", "--json").stdout)[0]["limit"] == "two"
    assert "FAILED  two: Fail on two: no luck" in place.run("runs", "show", "last").stdout
    assert "TASK [Fail on two]" in place.run("runs", "show", "last", "--log").stdout


def test_braces_of_a_conf_are_no_template(place: Place) -> None:
    conf = {"a": "{{ 6 * 7 }}", "b": ["{% if true %}x{% endif %}"], "c": {"{{ 1 + 1 }}": "{# gone #}"}}
    done = place.run("said", "--conf", json.dumps(conf))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == conf


def test_a_lost_session_stops_ansible_and_leaves_nothing_behind(place: Place) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        place.argv("slow"), env=place.variables, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = ""
        while "Sleep" not in shown:
            shown += os.read(ours, 4096).decode(errors="replace")
        os.close(ours)
        for _ in range(2):  # one of the kernel, one of the shell
            process.send_signal(signal.SIGHUP)
    assert process.returncode == 130
    assert place.record()["outcome"] == "interrupted"
    assert list((place.folder / "tmp").glob("airflow-ops-*")) == []


def test_what_would_be_done_twice_is_not_resumed(place: Place) -> None:
    done = place.run("once")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "What to do: look first"
    assert place.run("runs", "resume", "last").returncode == 5


def test_nor_is_it_repeated_after_an_interruption(place: Place) -> None:
    with subprocess.Popen(
        place.argv("once_slow"), env=place.variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert any("Sleep" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().splitlines()[-1] == "What to do: look first"
    assert process.returncode == 130


@pytest.mark.parametrize(
    "line",
    [
        ["hidden"],
        ["hidden", "-vvv"],
        ["conf", "--conf", json.dumps({"day": "2026-03-14", "password": MARKER})],
        ["conf", "--conf", json.dumps({"day": "2026-03-14", "deep": [{"api_key": MARKER}]}), "--json"],
    ],
    ids=["a failure that Ansible hides", "verbose", "conf", "conf as JSON"],
)
def test_a_secret_is_neither_shown_nor_kept(place: Place, line: list[str]) -> None:
    done = place.run(*line)
    assert done.returncode == 2, done.stderr
    assert MARKER not in done.stdout
    assert MARKER not in done.stderr
    assert MARKER not in place.texts()
    assert list((place.folder / "tmp").glob("airflow-ops-*")) == []
    if "conf" in line:
        assert "2026-03-14" in done.stdout
        assert place.run("runs", "resume", "last").returncode == 5


def test_what_ansible_runner_needs_lies_in_a_private_folder_for_the_time_of_the_run(place: Place) -> None:
    with subprocess.Popen(place.argv("slow"), env=place.variables, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert any("Sleep" in line for line in process.stderr)
        (folder,) = (place.folder / "tmp").glob("airflow-ops-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    assert not folder.exists()


@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGINT, 0.0), (signal.SIGINT, 1.0), (signal.SIGTERM, 1.0)],
    ids=["ctrl-C while workers start", "ctrl-C", "kill"],
)
def test_an_interruption_stops_ansible_and_tells_where_the_hosts_are(place: Place, number: int, delay: float) -> None:
    begun = time.monotonic()
    with subprocess.Popen(
        place.argv("slow"), env=place.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        assert any("Sleep" in line for line in process.stderr)
        time.sleep(delay)
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 130
    assert time.monotonic() - begun < 50  # the task takes a minute
    assert "Interrupted in: Sleep" in said
    assert delay == 0 or "  one: waiting, last nothing" in said
    assert "What the hosts say now:\n  all is quiet" in said
    assert place.record()["outcome"] == "interrupted"


@pytest.mark.parametrize("environment", ["prod", "live"], ids=["by name", "by its group"])
def test_production_is_asked_about_after_the_plan(place: Place, environment: str) -> None:
    code, shown = place.typed("n", "-e", environment, "good")
    assert code == 130
    assert "good on " + environment + " (preview): done" in shown
    assert "would change one" in shown
    assert "Nothing was changed." in shown
    assert not (place.folder / "state").exists()


def test_a_yes_does_it(place: Place) -> None:
    code, shown = place.typed("y", "-e", "prod", "good")
    assert (code, place.record()["outcome"]) == (0, "done")
    assert "good on prod: done" in shown


def test_a_plan_that_fails_is_the_end(place: Place) -> None:
    code, shown = place.typed("y", "-e", "prod", "bad_all")
    assert code == 2
    assert "[y/N]" not in shown


def test_with_yes_nobody_is_asked(place: Place) -> None:
    assert place.run("-e", "prod", "good", "--yes").returncode == 0


def test_a_preview_asks_nothing_and_is_recorded_as_one(place: Place) -> None:
    assert place.run("-e", "prod", "good", "--check").returncode == 0
    assert place.record()["check"] is True


def test_a_careful_verb_asks_everywhere_and_tells_the_playbook(place: Place) -> None:
    assert place.run("careful").returncode == 5
    done = place.run("careful", "--yes")
    assert done.returncode == 0
    assert "expected nothing" in done.stdout


def test_a_yes_is_meant_for_what_was_shown(place: Place) -> None:
    code, shown = place.typed("y", "careful")
    assert code == 0
    assert "expected 0123abcd" in shown


def test_a_state_folder_that_cannot_be_written_stops_the_run_first(place: Place) -> None:
    (place.folder / "state").write_text("")
    done = place.run("good")
    assert done.returncode == 5
    assert "cannot be written" in done.stderr


def test_the_completion_knows_verbs_environments_hosts_and_components(place: Place) -> None:
    def complete(line: str) -> list[str]:
        variables = {
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_AIRFLOW_OPS_COMPLETE": "bash_complete",
        }
        done = subprocess.run(
            place.argv(), env=place.variables | variables, capture_output=True, text=True, check=False
        )
        return [text.partition(",")[2] for text in done.stdout.splitlines()]

    assert complete("airflow-ops fix") == ["fix-ownership"]
    assert complete("airflow-ops -e pr") == ["prod"]
    assert complete("airflow-ops status -l on") == ["one"]
    assert complete("airflow-ops restart tr") == ["triggerer"]
    assert "_airflow_ops_completion" in place.run("completion", "bash").stdout


def test_as_a_library(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in place.variables.items():
        monkeypatch.setenv(name, value)
    verb = verbs.Verb("bad", str(place.folder / "playbooks/bad.yml"), "")
    monkeypatch.setitem(verbs.BY_NAME, "bad", verb)
    result = airflow_ops.run("bad", "dev", variables={"x": 1})
    assert result.outcome is airflow_ops.Outcome.PARTLY
    assert [failure.message for failure in result.failures] == ["no luck"]
    assert place.record()["variables"] == {"x": 1}
    with pytest.raises(airflow_ops.BadValue, match="there is no verb 'fly'"):
        airflow_ops.run("fly")
