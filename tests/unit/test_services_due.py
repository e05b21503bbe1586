"""Which services a run restarts: a delivery of plugins none that is stale for another reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).parents[2] / "roles/airflow_services"
SERVICES = {"scheduler": True, "webserver": False, "triggerer": True}  # whether it loaded older plugins
STATE = {
    "stale": ["scheduler", "webserver", "triggerer"],  # one of them by its configuration
    "services": {name: {"old_plugins": old} for name, old in SERVICES.items()},
}
STALE = {"__airflow_services_only_stale": True}


@pytest.mark.parametrize(
    ("file", "due"),
    [("restart_plugins_here.yml", ["scheduler", "triggerer"]), (None, ["scheduler", "triggerer", "webserver"])],
    ids=["plugins", "whole role"],
)
def test_what_is_due(tmp_path: Path, file: str | None, due: list[str]) -> None:
    values: dict[str, Any] = STALE
    if file:
        (values,) = [task["vars"] for task in yaml.safe_load((ROLE / "tasks" / file).read_text()) if "vars" in task]
    given = {"__airflow_services_state": STATE, "__airflow_services_chosen": [*SERVICES]}
    # As facts, which stand above the role's own variables and below those of a task.
    copy = {"dest": str(tmp_path / "due"), "content": "{{ __airflow_services_due }}"}
    tasks = [{"ansible.builtin.set_fact": given}, {"ansible.builtin.copy": copy, "vars": values}]
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    play["vars_files"] = [str(ROLE / "vars/main.yml")]
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    subprocess.run(["ansible-playbook", "-c", "local", "play.yml"], cwd=tmp_path, check=True, capture_output=True)
    assert sorted(json.loads((tmp_path / "due").read_text())) == due
