"""What cannot be meant is refused in one sentence, with the exit code for it, before anything runs."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from airflow_ops.cli import library, playbook
from airflow_ops.cli.command import main

REFUSED = 5
LONG = "x" * 251

CASES: list[tuple[str, list[str], str]] = [
    # the line itself
    ("no such verb", ["deplyo"], "No such command 'deplyo'"),
    ("no such option", ["deploy", "--chekc"], "No such option '--chekc'"),
    ("option of another verb", ["status", "--yes"], "No such option '--yes'"),
    ("a verb that only looks has no preview", ["status", "--check"], "No such option '--check'"),
    ("too many arguments", ["rollback", "a", "b"], "unexpected extra argument"),
    ("no such shell", ["completion", "ksh"], "'ksh' is not one of"),
    ("no such verb of the watchdog", ["watchdog", "kick"], "No such command 'kick'"),
    # environments and limits
    ("unknown environment", ["-e", "nowhere", "status"], "there is no environment 'nowhere'"),
    ("environment that is a path", ["-e", "../prod", "status"], "is no environment"),
    ("empty environment", ["-e", "", "status"], "is no environment"),
    ("environment after the verb", ["status", "-e", "Prod"], "is no environment"),
    ("empty limit", ["status", "-l", ""], "is no host pattern"),
    ("limit with spaces", ["status", "-l", "dn01p dn02p"], "is no host pattern"),
    ("limit that is an option", ["status", "-l", "--check"], "is no host pattern"),
    ("limit from a file", ["status", "-l", "@hosts"], "is no host pattern"),
    ("limit with a shell", ["status", "-l", "dn01p;id"], "is no host pattern"),
    # production is asked about, and here is no terminal
    ("production deploy", ["-e", "prod", "deploy"], "deploy on prod shows its plan and asks first"),
    ("production rollback", ["-e", "prod", "rollback"], "rollback on prod shows its plan"),
    ("production restart", ["-e", "prod", "restart", "worker"], "restart on prod shows its plan"),
    ("production config as JSON", ["-e", "prod", "--json", "config"], "config on prod shows its plan"),
    # other variables
    ("variable without a value", ["deploy", "--var", "dag_release_keep"], "is not NAME=VALUE"),
    ("variable without a name", ["deploy", "--var", "=3"], "is not NAME=VALUE"),
    ("misspelt variable", ["deploy", "--var", "dag_release_kep=3"], "did you mean dag_release_keep?"),
    ("variable that is a secret", ["deploy", "--var", "broker_password=x"], "broker_password is a secret"),
    ("variable of Ansible", ["deploy", "--var", "ansible_become=false"], "no role has a variable ansible_become"),
    # deploy and rollback
    ("file that is not there", ["deploy", "--source", "SOURCE", "none.py"], "none.py is no file"),
    ("file outside", ["deploy", "--source", "SOURCE", "/etc/passwd"], "is outside of"),
    ("file outside of the sources", ["deploy", "/etc/passwd"], "is not below"),
    ("file above", ["deploy", "--source", "SOURCE", "../x.py"], "is outside of"),
    ("source that is not there", ["deploy", "--source", "/no/such"], "'/no/such' is no folder"),
    ("source that is a file", ["deploy", "--source", "/etc/passwd"], "is no folder"),
    ("source and repository", ["deploy", "--source", "SOURCE", "--repo", "r"], "--repo and --source"),
    ("file and commit", ["deploy", "--at", "v1", "a.py"], "single files come from a folder"),
    ("remove without a file", ["deploy", "--remove"], "--remove needs the files"),
    ("revision that is an option", ["deploy", "--at", "--upload-pack=x"], "is no revision"),
    ("revision with a space", ["deploy", "--at", "v 1"], "is no revision"),
    ("range of revisions", ["deploy", "--at", "v1..v2"], "is no revision"),
    ("subfolder of no repository", ["deploy", "--subfolder", "dags"], "give both"),
    ("subfolder above", ["deploy", "--repo", "r", "--subfolder", "a/../.."], "is no path below"),
    ("repository with a password", ["deploy", "--repo", "https://u:pw@host/r"], "holds a password"),
    ("repository that is an option", ["deploy", "--repo", "--config"], "is no address"),
    ("wait that is no number", ["deploy", "--wait", "long"], "'long' is no whole number from 0 to 86400"),
    ("negative wait", ["deploy", "--wait", "-1"], "'-1' is no whole number"),
    ("release with a slash", ["rollback", "../x"], "'../x' is no id"),
    ("empty release", ["rollback", ""], "'' is no id"),
    # sync-meta
    ("production as a target", ["sync-meta", "--to", "prod"], "production is never the target"),
    ("one environment twice", ["sync-meta", "--from", "dev", "--to", "dev"], "source and target are both dev"),
    ("unknown source", ["sync-meta", "--from", "nowhere"], "there is no environment 'nowhere'"),
    ("backup with a slash", ["restore-meta", "/etc/passwd"], "is no id"),
    # services
    ("no component", ["restart"], "Missing argument"),
    ("unknown component", ["restart", "flower"], "'flower' is no component"),
    ("a host as a component", ["stop", "dn01p"], "'dn01p' is no component"),
    ("drain timeout in words", ["restart", "worker", "--drain-timeout", "10m"], "is no whole number"),
    ("drain of what starts", ["start", "worker", "--force"], "No such option '--force'"),
    # trigger and clear
    ("no DAG", ["trigger"], "Missing argument"),
    ("DAG with a space", ["trigger", "A B"], "'A B' is no id"),
    ("DAG that is too long", ["trigger", LONG], "at most 250"),
    ("conf that is no JSON", ["trigger", "A", "--conf", "{a: 1}"], "the text is no JSON"),
    ("conf that is a list", ["trigger", "A", "--conf", "[1]"], "the JSON is no object"),
    ("conf file that is not there", ["trigger", "A", "--conf", "@/no/such.json"], "cannot be read (No such file"),
    ("conf file that is a folder", ["trigger", "A", "--conf", "@/etc"], "cannot be read (Is a directory)"),
    ("timeout of nothing", ["trigger", "A", "--timeout", "0"], "is no whole number from 1"),
    ("clear everything", ["clear", "A"], "neither would mean every run"),
    ("clear a run and a window", ["clear", "A", "--run", "r", "--from", "2026-03-14"], "--run names one run"),
    ("clear by a broken pattern", ["clear", "A", "--run", "r", "--task", "a("], "is no regular expression"),
    ("clear by an empty pattern", ["clear", "A", "--run", "r", "--task", ""], "an empty pattern"),
    ("clear from no date", ["clear", "A", "--from", "yesterday"], "'yesterday' is no date"),
    ("clear a window that ends first", ["clear", "A", "--from", "2026-03-14", "--to", "2026-03-13"], "before it be"),
    ("clear no task", ["clear", "A", "--run", "r", "--at-most", "0"], "is no whole number from 1"),
    ("clear a run with a quote", ["clear", "A", "--run", "r'"], "is no run id"),
    ("clear is asked about everywhere", ["-e", "dev", "clear", "A", "--run", "r"], "clear on dev shows its plan"),
    # watchdog, drift, ownership
    ("pause without a reason", ["watchdog", "pause"], "Missing option '--reason'"),
    ("pause with an empty reason", ["watchdog", "pause", "--reason", " "], "a reason is one line"),
    ("pause with two lines", ["watchdog", "pause", "--reason", "a\nb"], "a reason is one line"),
    ("pause for ever", ["watchdog", "pause", "--reason", "x", "--minutes", "99999"], "no whole number from 1 to 10080"),
    ("report into a folder that is not there", ["drift", "--html", "/no/such/x.html"], "does not exist"),
    ("report that is a folder", ["drift", "--report", "/etc"], "is a folder, not a file"),
    ("check that is none", ["deploy", "--skip-check", "json,syntax"], "'syntax' is no check; choose from names, links"),
    ("severity that is none", ["drift", "--fail-on", "info"], "is no severity; choose from warning, error, never"),
    ("path that climbs", ["fix-ownership", "PROC_A/../../etc"], "is no path on the hosts"),
    ("empty path", ["fix-ownership", ""], "is no path on the hosts"),
    ("failover to nowhere", ["failover"], "Missing argument"),
    ("failover to two hosts", ["failover", "mn01p,mn02p"], "'mn01p,mn02p' is no host name"),
    # records
    ("run that nobody knows", ["runs", "show", "2020"], "no run with the id '2020'"),
    ("resume of nothing", ["runs", "resume", "last"], "no run with the id 'last'"),
    ("list of no runs", ["runs", "-n", "0"], "is not in the range"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A playbook that starts is the end of the test: it would touch hosts."""

    def started(*_: object) -> int:
        raise AssertionError("a playbook was started")

    monkeypatch.setattr(playbook.Playbook, "run", started)
    monkeypatch.setattr(library, "REPOSITORY", Path("/"))
    monkeypatch.setenv("AIRFLOW_OPS_STATE", str(tmp_path / "state"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a.py").write_text("")


@pytest.mark.parametrize(("line", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_input_is_one_sentence(
    line: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = [str(tmp_path / "source") if word == "SOURCE" else word for word in line]
    assert main(typed) == REFUSED
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert said.startswith("airflow-ops: ")
    assert not (tmp_path / "state").exists()


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 50
    assert len({case[0] for case in CASES}) == len(CASES)


def test_machines_get_the_sentence_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "trigger", "A", "--conf", "[1]"]) == REFUSED
    answer = json.loads(capsys.readouterr().out)
    assert (answer["outcome"], answer["exit_code"]) == ("refused", REFUSED)
    assert "the JSON is no object" in answer["reasons"][0]


def test_a_playbook_that_this_version_lacks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["releases"]) == REFUSED
    assert "playbooks/dag_releases.yml is not part of this version" in capsys.readouterr().err


def test_a_trouble_of_this_machine_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr(library, "follow", full)
    monkeypatch.setattr(library, "check_order", lambda _order: None)
    assert main(["releases"]) == 2
    assert capsys.readouterr().err == "airflow-ops: No space left on device (/tmp/x)\n"
