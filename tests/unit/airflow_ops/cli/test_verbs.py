"""The table of verbs: what it names exists, and every verb explains itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from airflow_ops.cli.command import build
from airflow_ops.cli.environments import REPOSITORY
from airflow_ops.cli.extra import inputs
from airflow_ops.cli.verbs import BY_NAME, VERBS, Verb

HELP_SECONDS = 0.3  # the demand
THERE = [verb for verb in VERBS if (REPOSITORY / verb.playbook).exists()]


def by_name(verb: Verb) -> str:
    return verb.name


@pytest.mark.parametrize("verb", VERBS, ids=by_name)
def test_the_playbook_exists(verb: Verb) -> None:
    assert (REPOSITORY / verb.playbook).is_file()


@pytest.mark.parametrize("verb", THERE, ids=by_name)
def test_a_role_declares_every_variable(verb: Verb) -> None:
    own = {"remove"} if verb.name == "deploy" else set()
    named = {option.variable for option in verb.options} | ({verb.confirmed} if verb.confirmed else set())
    assert named - own <= inputs()


@pytest.mark.parametrize("verb", VERBS, ids=by_name)
def test_its_help_has_an_example_and_every_option(verb: Verb) -> None:
    done = CliRunner().invoke(build(), [*verb.name.split(), "--help"])
    assert done.exit_code == 0
    assert "Examples:" in done.output
    assert f"airflow-ops {'-e prod ' if not verb.examples else ''}" in done.output
    assert all(option.flag in done.output for option in verb.options)


@pytest.mark.parametrize("verb", VERBS, ids=by_name)
def test_an_interruption_is_followed_by_a_verb_that_only_looks(verb: Verb) -> None:
    assert BY_NAME[verb.state].looks


@pytest.mark.parametrize("playbook", sorted(REPOSITORY.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_every_playbook_has_a_verb(playbook: Path) -> None:
    """Those that others import, and those behind a door at the root, are reached by these."""
    inner = {"preflight_inventory", "migrate", "logins", "retire_passwords"}
    assert playbook.stem in inner | {Path(verb.playbook).stem for verb in VERBS}


def test_the_help_imports_nothing_that_is_slow_to_start() -> None:
    program = "import sys; from airflow_ops.cli.command import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert not [name for name in ("ansible", "ansible_runner", "rich", "yaml") if f"'{name}'" in loaded]


def test_what_the_help_costs(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    subprocess.run([REPOSITORY / "bin/airflow-ops", "--help"], check=True, stdout=subprocess.DEVNULL)
    with capsys.disabled():
        print(f"\nairflow-ops --help: {time.monotonic() - begun:.2f} s, of at most {HELP_SECONDS} s")
