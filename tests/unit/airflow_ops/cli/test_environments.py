"""Environments: which inventories make one up, and which are production."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_ops.cli.environments import REPOSITORY, Environment, find, known
from airflow_ops.cli.values import BadValue


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("prod", "dev"):
        folder = tmp_path / "inventories" / name
        folder.mkdir(parents=True)
        (folder / "hosts.yml").write_text(f"{name}:\n  hosts: {{a_{name}: {{}}}}\n")
        (folder / "topology.yml").write_text(f"datanodes:\n  hosts: {{a_{name}: {{}}}}\n")
    (tmp_path / "inventories/single.yml").write_text("single:\n  hosts: {one: {}}\n")
    return tmp_path


def environment(root: Path, name: str, listed: str = "") -> Environment:
    variables = {
        "AIRFLOW_OPS_INVENTORIES": str(root / "inventories"),
        "ANSIBLE_INVENTORY": listed.replace("ROOT", str(root)),
    }
    return find(name, variables)


def test_those_of_the_repository_are_known_without_a_word() -> None:
    assert known({}) == ["dev", "prod"]
    assert find("dev", {}).inventories == (REPOSITORY / "inventories/dev",)


@pytest.mark.parametrize(
    ("name", "listed", "found"),
    [
        ("prod", "", ["inventories/prod"]),
        ("single", "", ["inventories/single.yml"]),
        ("dev", "ROOT/inventories/prod", ["inventories/dev"]),
        ("prod", "ROOT/inventories/prod,ROOT/lab/prod.yml", ["inventories/prod", "lab/prod.yml"]),
        (
            "prod",
            "ROOT/inventories/prod,ROOT/lab/prod.yml,ROOT/inventories/dev,ROOT/lab/dev.yml",
            ["inventories/prod", "lab/prod.yml"],
        ),
        (
            "dev",
            "ROOT/inventories/prod,ROOT/lab/prod.yml,ROOT/inventories/dev,ROOT/lab/dev.yml",
            ["inventories/dev", "lab/dev.yml"],
        ),
        ("dev", "ROOT/elsewhere/hosts.yml", ["inventories/dev"]),
    ],
)
def test_what_is_listed_behind_an_inventory_belongs_to_it(root: Path, name: str, listed: str, found: list[str]) -> None:
    assert environment(root, name, listed).inventories == tuple(root / path for path in found)


def test_an_environment_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    with pytest.raises(BadValue, match=r"there is no environment 'test' in .*; it holds dev, prod, single"):
        environment(root, "test")


@pytest.mark.parametrize(
    ("text", "production"),
    [
        ("dev:\n  hosts: {a: {}}\n", False),
        ("prod:\n  hosts: {a: {}}\n", True),
        ("all_hosts:\n  children: {prod: {hosts: {a: {}}}}\n", True),
        ("[prod]\na\n", True),
        ("[prod:children]\nx\n", True),
        ("[dev]\na\n", False),
        ("", False),
        ("all: {children: {site: {children: {prod: {hosts: {a: }}}}}}\n", True),
        ("all: {children: {site: {children: {dev: {hosts: {a: }}}, vars: {x: 1}}}}\n", False),
        ("dev: {children: prod}\n", True),
        ("plugin: constructed\ngroups: {prod: true}\n", True),
        ("dev: {hosts: {a: {x: !vault secret}}}\n", True),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", True),
    ],
)
def test_production_is_a_group(tmp_path: Path, text: str, production: bool) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(text)
    assert Environment("any", (path,)).is_production is production


def test_what_cannot_be_read_as_text_is_taken_for_production(tmp_path: Path) -> None:
    program = tmp_path / "hosts.yml"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert Environment("any", (program,)).is_production
    (tmp_path / "empty").mkdir()
    assert Environment("any", (tmp_path / "empty",)).is_production


@pytest.mark.parametrize(
    ("name", "text", "production"),
    [
        ("sub/more.yml", "prod: {hosts: {a: }}\n", True),
        ("hosts.toml", "[prod.hosts]\na = {}\n", True),
        ("hosts.json", '{"all": {"children": {"prod": {}}}}', True),
        ("hosts.weird", "what is this", True),
        ("group_vars/dev/x.yml", "prod: 1\n", False),
        ("README.md", "prod\n", False),
        (".hidden", "?", False),
    ],
)
def test_every_file_that_ansible_reads_counts(tmp_path: Path, name: str, text: str, production: bool) -> None:
    (tmp_path / "hosts.yml").write_text("dev: {hosts: {a: }}\n")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    environment = Environment("any", (tmp_path,))
    assert environment.is_production is production
    assert "a" in environment.names()


def test_hosts_and_groups_for_the_completion(root: Path) -> None:
    assert environment(root, "prod").names() == ["a_prod", "datanodes", "prod"]
