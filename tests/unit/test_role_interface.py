"""What every role promises: its inputs are declared, its files are small indexes and named steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_ops import role_docs
from airflow_ops.inventory_model import SECRETS
from airflow_ops.inventory_rules import REQUIRED

ROOT = Path(__file__).parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
TASK_FILES = sorted(ROOT.glob("roles/*/tasks/**/*.yml"))
# Role airflow only lends its names; its steps are called one by one.
WITHOUT_MAIN = {"airflow"}
# Roles that do not begin with the shared names; why stands in their meta/main.yml.
WITHOUT_AIRFLOW = {"airflow", "preflight"}
# Looks groups up once for all.
MAY_READ_GROUPS = {"airflow", "preflight"}
# What an index may do: call other files, and load the data of the distribution.
INDEX = {f"ansible.builtin.{name}" for name in ("import_tasks", "include_tasks", "include_vars")} | {"block"}
# Words that say an order or a state, not a step.
NO_IMPERATIVE = re.compile(r"^(The|A|An|This|It|If|When|Now|Then|Ensure that|Making|Checking|Installing)\b")
# What the inventory itself gives: no role has a default for it.
SITE_VALUES = {*REQUIRED, *SECRETS, "airflow_environment"}


class Loader(yaml.SafeLoader):
    """Reads the roles' files, which may hold Ansible's own tags."""


Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def load(path: Path) -> Any:
    """Return the content of a YAML file, None where there is none."""
    return yaml.load(path.read_text(), Loader) if path.exists() else None


def tasks(items: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a file, those inside blocks included."""
    for item in items or []:
        yield item
        for part in ("block", "rescue", "always"):
            yield from tasks(item.get(part))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def declared(role: Path) -> dict[str, Any]:
    """Return the options of all entry points of a role."""
    return dict(role_docs.options(role))


@cache
def inputs() -> set[str]:
    """Return the names that any role declares."""
    return {name for role in ROLES if (role / "meta/argument_specs.yml").exists() for name in declared(role)}


@cache
def is_index(path: Path) -> bool:
    """Say whether a file of tasks only calls others, as main.yml does."""
    return path.name == "main.yml" or all(INDEX & set(task) for task in tasks(load(path)))


# What Ansible works out, in the values of these keys even without braces.
CONDITIONS = {"when", "that", "until", "changed_when", "failed_when"}
EXPRESSION = re.compile(r"{{(.*?)}}|{%(.*?)%}", re.DOTALL)


def expressions(key: str, value: Any) -> Iterator[str]:
    """Yield the expressions in a value of a YAML file; one that only hands a variable on is none."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from expressions(str(name), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(key, inner)
    elif isinstance(value, str) and key in CONDITIONS and "{{" not in value:
        yield value
    elif isinstance(value, str) and not re.fullmatch(r"{{ *\w+ *}}", value):
        yield from ("".join(found) for found in EXPRESSION.findall(value))


@cache
def switches() -> re.Pattern[str]:
    """Return what finds an input of type bool that is not made one first."""
    specs = {name: spec for role in ROLES for name, spec in declared(role).items()}
    names = [name for name, spec in specs.items() if spec.get("type") == "bool"]
    return re.compile(rf"\b({'|'.join(names)})\b(?! *\| *bool\b)")


EXPRESSED = sorted(
    path
    for pattern in ("roles/*/tasks/**/*.yml", "roles/*/vars/*.yml", "playbooks/*.yml", "*.yml")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", EXPRESSED, ids=relative)
def test_a_switch_from_the_command_line_is_no_text(path: Path) -> None:
    assert [text for text in expressions("", load(path)) if switches().search(text)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_input_is_a_default_or_required(role: Path) -> None:
    required = {name for name, spec in declared(role).items() if spec.get("required")}
    assert set(declared(role)) - required == set(load(role / "defaults/main.yml") or {})


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_spec_names_the_default_that_the_role_has(role: Path) -> None:
    defaults = load(role / "defaults/main.yml") or {}
    differing = {
        name: (spec["default"], defaults[name])
        for name, spec in declared(role).items()
        if "default" in spec and spec["default"] != defaults.get(name)
    }
    assert differing == {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_inputs_are_described_and_carry_a_prefix(role: Path) -> None:
    for name, spec in declared(role).items():
        assert spec.get("description"), f"{role.name}: {name} has no description"
        assert name.startswith(f"{role.name}_") or name in SITE_VALUES, f"{role.name}: {name} is not of this role"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_secrets_have_neither_choices_nor_default(role: Path) -> None:
    """A choice that fails would be shown; null as default means that the role can do without."""
    defaults = load(role / "defaults/main.yml") or {}
    for name in SECRETS & set(declared(role)):
        spec = declared(role)[name]
        assert not {"choices", "default"} & set(spec), name
        assert spec.get("required") or defaults[name] is None, name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_meta_file_is_complete(role: Path) -> None:
    meta = load(role / "meta/main.yml")
    assert {"role_name", "author", "description", "license", "min_ansible_version", "platforms"} <= set(
        meta["galaxy_info"]
    )
    assert meta["galaxy_info"]["role_name"] == role.name
    names = [entry["role"] for entry in meta["dependencies"]]
    assert names == ([] if role.name in WITHOUT_AIRFLOW else ["airflow"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_is_up_to_date(role: Path) -> None:
    text = (role / "README.md").read_text()
    assert role_docs.with_table(text, role_docs.table(role_docs.options(role))) == text, (
        "run python -m airflow_ops.role_docs"
    )


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_main_is_an_index(role: Path) -> None:
    main = role / "tasks/main.yml"
    assert main.exists() or role.name in WITHOUT_MAIN
    for task in tasks(load(main)):
        assert INDEX & set(task), f"{relative(main)}: {task.get('name')} does work itself"


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_tasks_are_named_by_their_file(path: Path) -> None:
    for task in tasks(load(path)):
        name = task.get("name", "")
        assert name, f"{relative(path)}: a task has no name"
        prefix, _, step = name.rpartition(" | ")
        allowed = {""} if path.name == "main.yml" else {path.stem, ""} if is_index(path) else {path.stem}
        assert prefix in allowed, name
        assert re.match(r"[A-Z]", step) and not NO_IMPERATIVE.match(step), name


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_tasks_neither_ignore_errors_nor_overwrite_inputs(path: Path) -> None:
    for task in tasks(load(path)):
        assert "ignore_errors" not in task, task["name"]
        assert "ansible.builtin.shell" not in task, task["name"]
        assert not inputs() & set(task.get("ansible.builtin.set_fact") or {}), task["name"]


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_commands_say_when_they_change_something(path: Path) -> None:
    for task in tasks(load(path)):
        if "ansible.builtin.command" in task:
            assert "changed_when" in task, task["name"]


@pytest.mark.parametrize("path", TASK_FILES, ids=relative)
def test_task_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 120


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_groups_are_looked_up_in_one_place(role: Path) -> None:
    if role.name in MAY_READ_GROUPS:
        return
    for folder in ("defaults", "vars", "tasks", "templates", "handlers"):
        for path in role.glob(f"{folder}/**/*"):
            if path.is_file():
                assert not re.search(r"\bgroups\b\s*[\[.]|\bgroup_names\b", path.read_text()), relative(path)
