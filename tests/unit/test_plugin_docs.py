"""Every plugin is documented in Ansible's form, and every filter can be used in a playbook."""

from __future__ import annotations

import importlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "library": "module",
    "filter_plugins": "filter",
    "callback_plugins": "callback",
    "inventory_plugins": "inventory",
}
FOLDER_OF = {kind: folder for folder, kind in FOLDERS.items()}
PLUGINS = [
    (kind, path.stem)
    for folder, kind in FOLDERS.items()
    for path in sorted((ROOT / folder).glob("*.py"))
    if path.stem != "__init__"
]
ACTIONS = sorted(path.stem for path in (ROOT / "action_plugins").glob("*.py"))


def documentation(kind: str) -> dict[str, dict[str, dict[str, object]]]:
    """Return what ansible-doc makes of all our plugins of a kind."""
    names = [name for plugin, name in PLUGINS if plugin == kind]
    if not names:
        return {}
    done = subprocess.run(
        ["ansible-doc", "--type", kind, "--json", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def documented() -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """Return the documentation of all plugins, read once."""
    return {kind: documentation(kind) for kind in FOLDERS.values()}


@pytest.mark.parametrize(("kind", "name"), PLUGINS, ids=lambda value: value)
def test_ansible_doc_reads_the_plugin(
    documented: dict[str, dict[str, dict[str, object]]], kind: str, name: str
) -> None:
    found = documented[kind].get(name)
    assert found, f"ansible-doc finds no documentation of {kind} {name}"
    assert found.get("doc")
    if kind != "callback":
        assert found.get("examples")
        assert kind == "inventory" or "RETURN = " in (ROOT / FOLDER_OF[kind] / f"{name}.py").read_text()


class Taken(Exception):
    """Ends a module as soon as it has told its options."""


def options_of(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the options that a module takes."""
    code = importlib.import_module(f"library.{module}")

    def tell(argument_spec: dict[str, Any], add_file_common_args: bool = False, **_: object) -> None:
        raise Taken({**argument_spec, **(FILE_COMMON_ARGUMENTS if add_file_common_args else {})})

    monkeypatch.setattr(code, "AnsibleModule", tell)
    with pytest.raises(Taken) as taken:
        code.main()
    spec: dict[str, Any] = taken.value.args[0]
    return spec


def shape(options: dict[str, Any], below: str) -> dict[str, Any]:
    """Return what documentation and code must agree on, by option; `below` is where the parts of a dict are."""
    return {
        name: (
            option.get("type", "str"),
            option.get("elements"),
            bool(option.get("required")),
            option.get("default"),
            sorted(option.get("choices") or []),
            shape(option.get(below) or {}, below),
        )
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", [name for kind, name in PLUGINS if kind == "module" and name not in ACTIONS])
def test_a_module_takes_the_options_that_it_documents(
    documented: dict[str, dict[str, dict[str, dict[str, Any]]]], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented_options = documented["module"][module]["doc"]["options"]
    assert shape(documented_options, "suboptions") == shape(options_of(module, monkeypatch), "options")


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_documented_as_a_module(action: str) -> None:
    assert (ROOT / f"library/{action}.py").exists()


def test_every_filter_loads_in_a_playbook(tmp_path: Path) -> None:
    """A filter whose file cannot be imported is skipped with a mere warning, so ask Ansible itself."""
    names = [name for kind, name in PLUGINS if kind == "filter"]
    # A filter that does not exist is an error when the template is compiled, before the missing value is looked at.
    templates = [f"{{{{ none_such | default(false) and (1 | {name}) }}}}" for name in names]
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.debug": {"msg": template}} for template in templates],
        }
    ]
    playbook = tmp_path / "filters.yml"
    playbook.write_text(json.dumps(play))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", str(playbook)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Could not load" not in done.stdout + done.stderr
