"""The steps of a sync that need a host; every decision is made in airflow_ops.connection_sync."""

from __future__ import annotations

import base64
import getpass
import json
import os
import socket
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from airflow_ops.connection_sync import show
from airflow_ops.connection_sync.judge import NOTHING, Side, Surroundings, judged, packed, restored
from airflow_ops.connection_sync.model import Plan, SyncError
from airflow_ops.connection_sync.plan import as_request
from airflow_ops.connection_sync.rules import Rules

OPTIONS: dict[str, Any] = {
    "state": {"type": "str", "required": True, "choices": ["exported", "synced", "restored"]},
    "source": {"type": "str", "default": ""},
    "target": {"type": "str", "required": True},
    "kinds": {"type": "list", "elements": "str", "default": ["connections"]},
    "export": {"type": "str", "default": ""},
    "rules": {"type": "dict", "default": {}},
    "plan_file": {"type": "str", "default": ""},
    "airflow": {"type": "dict", "required": True},
    "backup": {"type": "dict", "default": {}},
}
PRODUCTION = "prod"
SCHEDULERS = "airflow_scheduler"
SUFFIX = ".json.vault"
UNSURE = "Either all of it was written or nothing; run it again."


class ActionModule(ActionBase):
    """See library/connection_sync.py for the documentation."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what the state asks for, and turn the plan or the refusal into a result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, self.args = self.validate_argument_spec(OPTIONS)
        self.vars = task_vars or {}
        self.notes: list[str] = []
        try:
            self._keep_quiet()
            work = {"exported": self._export, "synced": self._sync, "restored": self._restore}
            return {**result, **work[self.args["state"]]()}
        except SyncError as refusal:
            return {**result, "failed": True, "msg": str(refusal)}

    def _keep_quiet(self) -> None:
        """Refuse settings with which Ansible itself would write secrets down, and silence the connection."""
        self._connection._play_context.no_log = True  # else -vvv shows what the module answers
        loud = (
            "ANSIBLE_DEBUG" if C.DEFAULT_DEBUG else "ANSIBLE_KEEP_REMOTE_FILES" if C.DEFAULT_KEEP_REMOTE_FILES else ""
        )
        if loud:
            raise SyncError(f"{loud} is on, which would write passwords down; {NOTHING}, switch it off.")
        if not self._connection.is_pipelining_enabled():
            raise SyncError(
                "Pipelining is off, so Ansible would write passwords into a file on the host; "
                f"{NOTHING}, see [ssh_connection] in ansible.cfg."
            )

    def _export(self) -> dict[str, Any]:
        """Return what the source holds, for the next step alone."""
        self._demand_host(self.args["target"])
        exported = self._module({"state": "exported", "kinds": self.args["kinds"]}, self.args["source"])
        return {"changed": False, "export": exported["export"], "_ansible_no_log": True}

    def _sync(self) -> dict[str, Any]:
        """Plan, show, and apply unless this is a preview."""
        self._demand_no_production()
        rules = Rules.read(self.args["rules"])
        source = Side.read(self.args["source"], self._source_export())
        target = self._target(self.args["kinds"], types=True)
        around = Surroundings(self._addresses(PRODUCTION), tuple(self._hosts(self.args["target"])))
        made = judged(source, target, self.args["kinds"], rules, around)
        return self._applied(made, target)

    def _restore(self) -> dict[str, Any]:
        """Plan what leads back to a backup, show, and apply unless this is a preview."""
        self._demand_no_production()
        text = self._open(self._backup_text())
        target = self._target(sorted(json.loads(text)["rows"]), types=False)
        return self._applied(restored(text, target), target)

    def _applied(self, made: Plan, target: Side) -> dict[str, Any]:
        if self.args["plan_file"]:
            _write_private(Path(self.args["plan_file"]).expanduser(), show.as_data(made))
        table = show.table(made)
        said = [f"{target.environment}: {show.report(made)}.", *self.notes, *made.warnings]
        result = {
            "changed": bool(made.changes),
            "counts": made.counts(),
            "msg": said,
            "diff": {"prepared": f"{table}\n"} if table else [],
            "_ansible_verbose_always": True,
        }
        if not made.changes or self._task.check_mode:
            return result
        apply = {
            "state": "applied",
            "changes": json.dumps(as_request(made)),
            "backup": self._seal(packed(target)),
            "backup_folder": self.args["backup"]["folder"],
            "backup_keep": self.args["backup"]["keep"],
            "lock": self.args["backup"]["lock"],
            "who": f"{getpass.getuser()}@{socket.gethostname()}",
        }
        done = self._module(apply, target.environment)
        said.append(f"What it held before is kept in {done['backup']}.")
        return result

    def _target(self, kinds: list[str], types: bool) -> Side:
        """Return what the target holds; in a preview it may not exist yet."""
        environment = self.args["target"]
        done = self._run_module({"state": "exported", "kinds": kinds, "types": types})
        if done.get("missing") and self._task.check_mode:
            self.notes.append(f"{done['msg']} This preview takes {environment} for empty.")
            return Side(environment)
        return Side.read(environment, self._checked(done, environment)["export"])

    def _module(self, arguments: dict[str, Any], environment: str) -> dict[str, Any]:
        return self._checked(self._run_module(arguments), environment, writing=arguments["state"] == "applied")

    def _run_module(self, arguments: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = self._execute_module(
            module_name="airflow_metadata", module_args={**self.args["airflow"], **arguments}, task_vars=self.vars
        )
        return done

    def _checked(self, done: dict[str, Any], environment: str, writing: bool = False) -> dict[str, Any]:
        """Return what the module answered; its failure is told in one sentence, also where it did not even start."""
        if not done.get("failed") and not done.get("unreachable"):
            return done
        text = str(done.get("module_stderr") or done.get("msg") or "no message").strip()
        told = f"{text.splitlines()[-1]}." if done.get("module_stderr") else text
        ending = UNSURE if writing and done.get("unsure", True) else "Nothing was changed."
        raise SyncError(f"{self.vars['inventory_hostname']} of {environment}: {told} {ending}")

    def _source_export(self) -> dict[str, Any]:
        """Return what the task before has registered on the source's host."""
        host = self._demand_host(self.args["source"])
        registered: dict[str, Any] = self.vars["hostvars"][host].get(self.args["export"]) or {}
        if "export" not in registered:
            raise SyncError(f"{host} of {self.args['source']} has exported nothing; {NOTHING}.")
        export: dict[str, Any] = registered["export"]
        return export

    def _hosts(self, group: str) -> list[str]:
        return [str(host) for host in self.vars["groups"].get(group, ())]

    def _demand_host(self, environment: str) -> str:
        """Return the host that speaks for an environment; it must be part of this run."""
        hosts = [host for host in self._hosts(SCHEDULERS) if host in self._hosts(environment)]
        # As airflow_scheduler_hosts, whose first host runs the tasks; that is known to hosts of the environment alone.
        hosts.sort(key=lambda host: bool(host != self.vars["hostvars"][host].get("airflow_active_scheduler", "")))
        if not hosts or hosts[0] not in self.vars["ansible_play_hosts"]:
            left_out = hosts[0] if hosts else "the scheduler host"
            raise SyncError(f"This run leaves out {left_out} of {environment}; {NOTHING}, run it without -l.")
        return hosts[0]

    def _demand_no_production(self) -> None:
        host = self.vars["inventory_hostname"]
        if host in self._hosts(PRODUCTION):
            raise SyncError(f"{host} is a host of {PRODUCTION}, which is never a target; {NOTHING}.")

    def _addresses(self, environment: str) -> tuple[str, ...]:
        hosts = self._hosts(environment)
        addresses = (str(self.vars["hostvars"][host].get("ansible_host", "")) for host in hosts)
        return tuple(filter(None, (*hosts, *addresses)))

    def _seal(self, text: str) -> str:
        if not self._loader._vault.secrets:
            raise SyncError(
                "The backup is encrypted with the password of the vaults, and this run has none; "
                f"{NOTHING}, name one with --ask-vault-pass or ANSIBLE_VAULT_PASSWORD_FILE."
            )
        label, secret = seal_with(self._loader._vault.secrets, self.args["target"])
        sealed: bytes = self._loader._vault.encrypt(text, secret=secret, vault_id=label)
        return sealed.decode("ascii")

    def _open(self, text: str) -> str:
        try:
            return bytes(self._loader._vault.decrypt(text)).decode("utf-8")
        except AnsibleError:
            raise SyncError(
                f"The password of this run's vaults does not open the backup; {NOTHING}, "
                "name the password with which it was made."
            ) from None

    def _backup_text(self) -> str:
        """Return the chosen backup, the newest where none is named, encrypted as it lies on the host."""
        folder, name = self.args["backup"]["folder"], self.args["backup"]["name"]
        found = self._run("ansible.builtin.find", paths=[folder], patterns=[f"*{SUFFIX}"])
        names = sorted(Path(file["path"]).name for file in found.get("files", []))
        if not names or (name and name not in names):
            there = f"it holds {', '.join(names)}" if names else "it holds none"
            raise SyncError(f"{folder} has no backup {name or 'yet'}; {there}, see connection_sync_backup.")
        content = self._run("ansible.builtin.slurp", src=f"{folder}/{name or names[-1]}")["content"]
        return base64.b64decode(content).decode("ascii")

    def _run(self, module: str, **arguments: Any) -> dict[str, Any]:
        done = self._execute_module(module_name=module, module_args=arguments, task_vars=self.vars)
        return self._checked(done, self.args["target"])


def seal_with(secrets: list[tuple[str, Any]], target: str) -> tuple[str, Any]:
    """Return label and password for a backup of an environment: that of its own vault id, or the only one.

    :raises SyncError: when there are several, and nothing says which is the target's.
    """
    named = dict(reversed(secrets))  # of several with one label Ansible takes the first
    label = next((label for label in (target, C.DEFAULT_VAULT_IDENTITY) if label in named), None)
    if label is None and len(named) > 1:
        raise SyncError(
            f"The backup is encrypted with the password of {target}, and this run has the vault ids "
            f"{', '.join(sorted(named))}; {NOTHING}, name it with --vault-id {target}@FILE."
        )
    label = label or secrets[0][0]
    return label, named[label]


def _write_private(path: Path, content: dict[str, Any]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
