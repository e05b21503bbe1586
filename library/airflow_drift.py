#!/usr/bin/python
"""Look at all of a host in which it may differ from the others; changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_drift
short_description: Look at all of a host in which it may differ from the others
description:
  - Tells the effective configuration as Airflow has it, fingerprints of secrets, packages, versions, the offset of the
    clock from the metadata database, the DAG release and what was edited in it, the plugins, the unit files, files
    that Airflow could take by mistake, wrong owners, how often services died within the last day, and the schedulers
    that run.
  - Changes nothing.
options:
  key:
    description: Key of the fingerprints, so that nobody can guess a secret from one.
    type: str
    required: true
  host:
    description: Name of the host; in the units it stands as HOST, so that those of two hosts compare.
    type: str
    required: true
  queues:
    description: The queues of the host's worker, which stand as QUEUES.
    type: list
    elements: str
    required: true
  accounts:
    description: Accounts in whose homes a stray C(airflow/airflow.cfg) may lie.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [airflow_inside, ownership]
attributes:
  check_mode: {support: full, description: Nothing is ever changed.}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Look at the host
  airflow_drift:
    key: "{{ airflow_config_secret_key }}"
    host: dn01p
    queues: [default, dn01p]
    accounts: [airflow, mbsadmin]
    dags_folder: /usr/hmg/2.2.1.0-552/airflow/dags
    log_folder: /var/log/airflow
    group: hadoop
    file_mode: "0640"
    folder_mode: "0750"
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
seen:
  description: What was seen; the filter drift_report compares it.
  type: dict
  returned: success
"""

import json
import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_inside import drift_look as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, read_environment, run_inside
from ansible.module_utils.airflow_watchdog.ends import lines as restarts
from ansible.module_utils.airflow_watchdog.schedulers import main_process
from ansible.module_utils.airflow_watchdog.schedulers import seen as schedulers
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dag_tree import Entry, Named, digest, read, runtime_files, walk
from ansible.module_utils.ownership import ARGUMENTS as OWNERSHIP
from ansible.module_utils.ownership import areas, printable, shown

UNIT_FOLDER = Path("/etc/systemd/system")
SHOWN = 20  # of a long list
SPEC: dict[str, Any] = {
    **ARGUMENTS,
    **OWNERSHIP,
    "key": {"type": "str", "required": True, "no_log": True},
    "host": {"type": "str", "required": True},
    "queues": {"type": "list", "elements": "str", "required": True},
    "accounts": {"type": "list", "elements": "str", "required": True},
}


def dag_files(dags: Path) -> dict[str, Any]:
    """Return the live release of a host and in what its files differ from what was delivered."""
    release = dags.readlink().name if dags.is_symlink() else ""
    manifest, content = dags.parent / "dag_releases" / f"{release}.json", {}
    if release and manifest.is_file():
        content = json.loads(manifest.read_text("utf-8", "surrogateescape"))
    named, carried = Named(content.get("runtime", [])), set(content.get("carried", []))
    known = {name: Entry(name, *values) for name, values in content.get("files", {}).items() if name not in named}
    found = walk(f"{dags}/").files
    own = runtime_files(found, {*known, *carried}, named) if content else set()  # they are each host's own
    others = {name: info for name, info in found.items() if name not in own}
    entries = {entry.path: entry for entry in read(dags, others)}
    if not content:
        return {"release": release, "digest": digest(entries.values()), "differing": []}
    left = set(entries) - set(known) - carried
    return {
        "release": release,
        "digest": digest(entries[name] for name in sorted(known) if name in entries),
        "differing": [
            *(f"edited: {printable(name)}" for name in known if name in entries and entries[name] != known[name]),
            *(f"missing: {printable(name)}" for name in known if name not in entries),
            *(f"not delivered: {printable(name)}" for name in sorted(left) if not content.get("adopted")),
        ],
    }


def unit_files(host: str, queues: list[str], folder: Path = UNIT_FOLDER) -> dict[str, str]:
    """Return the texts of the units and of what is dropped into them, without what is each host's own."""
    paths = [*folder.glob("airflow-*.service"), *folder.glob("airflow-*.service.d/*.conf")]
    texts = {str(path.relative_to(folder)): path.read_text(errors="replace") for path in sorted(paths)}
    return {name: text.replace(",".join(queues), "QUEUES").replace(host, "HOST") for name, text in texts.items()}


def stray_files(accounts: list[str], config: Path) -> list[str]:
    """Return files that Airflow takes for its configuration when it is started without its environment."""
    known = {each.pw_name: each.pw_dir for each in pwd.getpwall()}
    paths = [Path(known[name], "airflow", "airflow.cfg") for name in accounts if name in known]
    return [str(path) for path in paths if path.exists() and path != config]


def wrong_owners(params: dict[str, Any]) -> list[str]:
    """Return the files whose owner, group or mode is not as it should be."""
    changes = [
        change for area in areas({**params, "owner": params["user"]}) for change in area.change(area.path, True)[0]
    ]
    return [f"{printable(change.path)}: {shown(change.before)}, not {shown(change.after)}" for change in changes]


def cut(lines: list[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    return lines[:SHOWN] + ([f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])


def main() -> None:
    """Look at everything in one call."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    params, dags = module.params, Path(module.params["dags_folder"])
    environment = read_environment(Path(params["environment_file"]))
    config = Path(environment.get("AIRFLOW_CONFIG") or Path(environment.get("AIRFLOW_HOME", "/"), "airflow.cfg"))
    try:
        seen = run_inside(params, program, {"key": params["key"]})
        found, owners = dag_files(dags), wrong_owners(params)
    except InsideError as error:
        module.exit_json(changed=False, seen={"problem": str(error)})
    except (OSError, ValueError, KeyError) as error:
        module.exit_json(
            changed=False, seen={"problem": f"The files of Airflow cannot be read: {printable(str(error))}."}
        )
    seen["environment"] = {name: program.fingerprint(params["key"], value) for name, value in environment.items()}
    seen["units"] = unit_files(params["host"], params["queues"])
    seen["dags"] = {**found, "differing": cut(found["differing"]), "number": len(found["differing"])}
    seen["stray"] = stray_files(params["accounts"], config)
    seen.update(schedulers(main_process()))
    seen["restarts"] = restarts()
    seen["owners"] = {"number": len(owners), "lines": cut(owners)}
    module.exit_json(changed=False, seen=seen)


if __name__ == "__main__":
    main()
