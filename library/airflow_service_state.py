#!/usr/bin/python
"""Look at the Airflow services of a host: do they run, and do they run what is installed and configured?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_service_state
short_description: Look at the Airflow services of a host
description:
  - Tells for each service whether it runs, since when, and whether it is stale, that is whether it started before one
    of the files that it reads was last changed.
  - Changes nothing.
options:
  services:
    description: The services to look at, by their names without the prefix airflow-.
    type: list
    elements: str
    required: true
  home:
    description: AIRFLOW_HOME. The link C(venv) and the folder C(config_digests) lie below it.
    type: path
    required: true
  environment_file:
    description: The environment that the units read.
    type: path
    required: true
  dags_folder:
    description: The dags folder, a link to the live release.
    type: path
    required: true
  standby:
    description: Those of the services that are meant to be stopped on this host, because another one runs them.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: Nothing is ever changed.}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Look at the services
  airflow_service_state:
    services: [scheduler, webserver]
    home: /usr/hmg/2.2.1.0-552/airflow
    environment_file: /etc/airflow/airflow.env
    dags_folder: /usr/hmg/2.2.1.0-552/airflow/dags
  register: state
"""

RETURN = r"""
services:
  description: One entry for each service that was asked for.
  type: dict
  returned: always
  contains:
    installed: {description: Whether the unit file exists., type: bool}
    enabled: {description: Whether it starts at boot., type: bool}
    state: {description: "The state that systemd shows: active, activating, failed, inactive and so on.", type: str}
    pid: {description: "The main process, 0 when there is none.", type: int}
    since: {description: "Start of the main process, in UTC; empty when there is none.", type: str}
    stale: {description: Whether only a restart makes it run what is installed and configured., type: bool}
    drained: {description: Whether it is a worker that takes no tasks since a drain., type: bool}
    resumed:
      description: Whether it was drained since its start and takes tasks again; a restart is due, which makes it stale.
      type: bool
    fenced: {description: Whether a failover keeps it stopped on this host., type: bool}
    standby: {description: Whether it is meant to be stopped on this host., type: bool}
    quarantined: {description: Whether it is kept stopped because its host missed a DAG release., type: bool}
    old_plugins: {description: Whether it loaded plugins before they last changed with a DAG release., type: bool}
    reasons: {description: "Why it is stale: the files that are newer than the process.", type: list, elements: str}
    restarts:
      description: >-
        How often it ended within the last day without being told to, so that systemd started it again, when last and
        why; empty when it never did.
      type: str
stale:
  description: The services that are stale.
  type: list
  elements: str
  returned: always
hostname:
  description: The name of the host as Airflow has it.
  type: str
  returned: always
schedulers:
  description: >-
    The schedulers that run on the host, whoever started them: C(pid), C(parent), C(account), C(since) in seconds since
    the epoch, C(command), and whether it is the unit's C(own).
  type: list
  elements: dict
  returned: always
version:
  description: The installed version of Airflow, empty when there is none.
  type: str
  returned: always
release:
  description: The live DAG release, empty when there is none.
  type: str
  returned: always
"""

import datetime
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_watchdog.ends import last_day, summary
from ansible.module_utils.airflow_watchdog.schedulers import seen
from ansible.module_utils.basic import AnsibleModule

SCHEDULER = "airflow-scheduler.service"
UNIT_FOLDER = Path("/etc/systemd/system")
PROPERTIES = (
    "Id",
    "ActiveState",
    "MainPID",
    "ExecMainStartTimestamp",
    "NeedDaemonReload",
    "DropInPaths",
    "UnitFileState",
)
FENCE = "/airflow-failover.conf"  # the drop-in of failover.yml
QUARANTINE = "/dag-release-quarantine.conf"  # the drop-in of role dag_release
DRAINED = Path("/run/airflow-worker-drained")  # the notes of airflow_worker_drain
RESUMED = Path("/run/airflow-worker-resumed")
TIMESTAMP = "%a %Y-%m-%d %H:%M:%S.%f %Z"


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """Return the properties by unit, from the output of C(systemctl show UNIT...)."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    return {block["Id"]: block for block in blocks}


def started_at(properties: Mapping[str, str]) -> float | None:
    """Return when the running main process started, in seconds since the epoch; None when there is no process."""
    if properties["MainPID"] == "0":
        return None
    moment = datetime.datetime.strptime(properties["ExecMainStartTimestamp"], TIMESTAMP)
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def as_utc(moment: float | None) -> str:
    """Return a moment as text, empty for none."""
    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(moment))


def stale_reasons(started: float | None, changed: Mapping[str, float | None], needs_reload: bool) -> list[str]:
    """Say why a process has to be restarted; nothing when it runs what is there, or when there is no process.

    changed holds the time of the last change of each file that the process reads, None for a file that does not exist.
    """
    if started is None:
        return []
    newer = [f"{path} is newer" for path, moment in changed.items() if moment is not None and moment > started]
    return newer + ["systemd has not read the changed unit yet"] * needs_reload


def is_drained(started: float | None, noted: float | None) -> bool:
    """Say whether a worker is drained, from the start of its process and the time of the note of its drain."""
    return started is not None and noted is not None and noted > started


def version_of(venv_target: str) -> str:
    """Return the version of Airflow from the name of a virtual environment (version-digest)."""
    return Path(venv_target).name.rpartition("-")[0]


def files_read_by(service: str, params: Mapping[str, Any], drop_ins: str) -> list[Path]:
    """Return the files whose change concerns a service. The link venv counts itself, not what it leads to."""
    home, unit = Path(params["home"]), UNIT_FOLDER / f"airflow-{service}.service"
    own = [home / "venv", home / "config_digests" / service, plugins_note(params)]
    return [unit, *map(Path, drop_ins.split()), Path(params["environment_file"]), *own]


def plugins_note(params: Mapping[str, Any]) -> Path:
    """Return the file that a DAG release writes when it changes the plugins."""
    return Path(params["dags_folder"]).parent / "dag_releases" / "plugins.digest"


def changed_at(path: Path) -> float | None:
    """Return the time of the last change of a file or link itself; None when it does not exist."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return None


def link_target(path: Path) -> str:
    """Return where a link leads to; empty when there is no such link."""
    return str(path.readlink()) if path.is_symlink() else ""


def describe(service: str, properties: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, object]:
    """Return what is known about one service."""
    started = started_at(properties)
    files = files_read_by(service, params, properties["DropInPaths"])
    changed = {str(path): changed_at(path) for path in files}
    reasons = stale_reasons(started, changed, properties["NeedDaemonReload"] == "yes")
    resumed = service == "worker" and is_drained(started, changed_at(RESUMED))
    if resumed:
        reasons.append("it was drained and resumed, so it loses its queues when it connects to the broker again")
    return {
        "installed": changed[str(files[0])] is not None,
        "enabled": properties["UnitFileState"] == "enabled",
        "state": properties["ActiveState"],
        "pid": int(properties["MainPID"]),
        "since": as_utc(started),
        "stale": bool(reasons),
        "reasons": reasons,
        "old_plugins": f"{plugins_note(params)} is newer" in reasons,
        "drained": service == "worker" and is_drained(started, changed_at(DRAINED)),
        "resumed": resumed,
        "fenced": FENCE in properties["DropInPaths"],
        "quarantined": QUARANTINE in properties["DropInPaths"],
        "restarts": summary(last_day(service)),
    }


def main() -> None:
    """Look and report."""
    arguments = {
        "services": {"type": "list", "elements": "str", "required": True},
        "home": {"type": "path", "required": True},
        "environment_file": {"type": "path", "required": True},
        "dags_folder": {"type": "path", "required": True},
        "standby": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    units = {service: f"airflow-{service}.service" for service in module.params["services"]}
    # --timestamp: a process that starts within the second in which a file was written is not older than the file.
    command = ["systemctl", "show", "--timestamp=us+utc", f"--property={','.join(PROPERTIES)}"]
    command += {*units.values(), SCHEDULER}
    shown = parse_show(module.run_command(command, check_rc=True, environ_update={"LC_ALL": "C"})[1])
    services = {
        service: {
            **describe(service, shown[unit], module.params),
            "standby": service in module.params["standby"],
        }
        for service, unit in units.items()
    }
    module.exit_json(
        changed=False,
        services=services,
        stale=[service for service, described in services.items() if described["stale"]],
        version=version_of(link_target(Path(module.params["home"], "venv"))),
        release=Path(link_target(Path(module.params["dags_folder"]))).name,
        **seen(int(shown[SCHEDULER]["MainPID"])),  # also on hosts that are to run none
    )


if __name__ == "__main__":
    main()
