"""lab/activate, sourced by real shells."""

import os
import subprocess
from pathlib import Path

import pytest

from lab import settings

ROOT = Path(__file__).resolve().parents[3]
SHELLS = ("bash", "zsh")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("LAB_", "ANSIBLE_"))}


def source(shell: str, argument: str, then: str, **more: str) -> subprocess.CompletedProcess[str]:
    script = f". {ROOT}/lab/activate {argument} && {then}"
    options = ["--norc"] if shell == "bash" else ["--no-rcs"]
    command = [shell, *options, "-c", script]
    return subprocess.run(command, cwd="/", env={**CLEAN, **more}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("argument", "environments"),
    [
        pytest.param("", ["prod"], id="prod by default"),
        pytest.param("prod", ["prod"], id="prod"),
        pytest.param("dev", ["dev"], id="dev"),
        pytest.param("both", ["prod", "dev"], id="both"),
    ],
)
def test_inventories(shell: str, argument: str, environments: list[str]) -> None:
    result = source(shell, argument, 'echo "$ANSIBLE_INVENTORY"; echo "$ANSIBLE_CONFIG"; command -v lab')
    expected = [path for name in environments for path in (f"inventories/{name}", f"lab/inventory/{name}.yml")]
    inventory, config, program = result.stdout.splitlines()
    assert inventory.split(",") == [f"{ROOT}/{path}" for path in expected]
    assert (config, program) == (f"{ROOT}/ansible.cfg", f"{ROOT}/lab/lab")


@pytest.mark.parametrize("shell", SHELLS)
def test_named_lab(shell: str) -> None:
    said = 'echo "$ANSIBLE_INVENTORY" "$LAB_INVENTORY" "$ANSIBLE_VAULT_PASSWORD_FILE"'
    result = source(shell, "dev", said, LAB_NAME="ci", LAB_STATE="/srv/ci")
    lab = settings.from_environment({"LAB_NAME": "ci", "LAB_STATE": "/srv/ci"})
    inventory = "/srv/ci/inventory"
    assert result.stdout.split() == [f"{ROOT}/inventories/dev,{inventory}/dev.yml", inventory, str(lab.vault_password)]


@pytest.mark.parametrize("shell", SHELLS)
def test_another_word_is_refused(shell: str) -> None:
    result = source(shell, "stage", "echo went on")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == "lab/activate: 'stage' is not an environment; use prod, dev or both.\n"


def test_twice_adds_nothing_to_the_path() -> None:
    once, twice = source("bash", "", f'echo "$PATH"; . {ROOT}/lab/activate dev; echo "$PATH"').stdout.split()
    assert once == twice
