"""prod and dev have one shape, hold no secret, and name every secret in their README."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_ops.inventory_model import SECRETS
from airflow_ops.inventory_rules import REQUIRED, SERVICE_GROUPS

ROOT = Path(__file__).parents[2]
INVENTORIES = ROOT / "inventories"
ENVIRONMENTS = ("prod", "dev")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def shape(environment: str) -> set[str]:
    """Return the files of an inventory, its own name taken out; the vault is the site's."""
    folder = INVENTORIES / environment
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {path.replace(f"/{environment}/", "/ENV/") for path in paths} - {"group_vars/ENV/vault.yml"}


def test_both_inventories_hold_the_same_files() -> None:
    assert shape("prod") == shape("dev")


def test_both_inventories_hold_the_same_groups() -> None:
    prod, dev = (set(load(INVENTORIES / environment / "topology.yml")) for environment in ENVIRONMENTS)
    assert prod == dev
    assert {"masternodes", "datanodes", "metadata_db", "broker", "airflow", *SERVICE_GROUPS} == prod


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_hosts_lie_below_the_group_of_the_environment(environment: str) -> None:
    hosts = load(INVENTORIES / environment / "hosts.yml")
    assert list(hosts) == [environment]
    for variables in hosts[environment]["hosts"].values():
        assert list(variables) == ["ansible_host"]
        assert variables["ansible_host"].startswith("192.0.2."), "samples come from the range for documentation"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_value_hangs_on_the_group_of_the_environment(environment: str) -> None:
    folder = INVENTORIES / environment
    assert [path.name for path in (folder / "group_vars").iterdir()] == [environment]
    assert not (folder / "host_vars").exists()
    assert load(folder / f"group_vars/{environment}/airflow.yml")["airflow_environment"] == environment
    for group in load(folder / "topology.yml").values():
        assert "vars" not in group


def test_both_inventories_set_the_same_names() -> None:
    names = {
        environment: {
            path.name: sorted(load(path) or {})
            for path in (INVENTORIES / environment / "group_vars" / environment).glob("*.yml")
            if path.name != "vault.yml"
        }
        for environment in ENVIRONMENTS
    }
    assert names["prod"] == names["dev"]


def test_no_secret_is_in_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [path for path in tracked if Path(path).name == "vault.yml"]
    for path in INVENTORIES.glob("*/group_vars/*/*.yml"):
        if path.name != "vault.yml":
            assert not SECRETS & set(load(path) or {}), path


@pytest.mark.parametrize("secret", sorted(SECRETS))
def test_every_secret_is_documented(secret: str) -> None:
    assert f"| `{secret}` |" in (INVENTORIES / "README.md").read_text()


def test_every_value_without_default_is_set_or_a_secret() -> None:
    for environment in ENVIRONMENTS:
        files = (INVENTORIES / environment / "group_vars" / environment).glob("*.yml")
        given = {name for path in files if path.name != "vault.yml" for name in load(path) or {}}
        assert set(REQUIRED) - SECRETS <= given
