"""DAG releases: one action for all hosts, so that they change together or not at all."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible.module_utils.common.validation import check_type_bool, check_type_list
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from airflow_ops.dag_release import deliver, tree, undo
from airflow_ops.dag_release.fleet import Host
from airflow_ops.dag_release.plan import Keep, Order, Parse, ReleaseError, Report, Source, Target

display = Display()

OPTIONS: dict[str, Any] = {
    "state": {"type": "str", "required": True, "choices": ["delivered", "rolled_back", "listed"]},
    "target": {"type": "dict", "required": True},
    "source": {"type": "dict", "default": {}},
    "parse": {"type": "dict", "default": {}},
    "keep": {"type": "dict", "default": {}},
    "release": {"type": "str", "default": ""},
}
CONNECTION = (
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_python_interpreter",
    "ansible_ssh_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
)


class ActionModule(ActionBase):
    """See library/dag_release.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what the state asks for, and turn the report or the refusal into a result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(OPTIONS)
        try:
            return {**result, **self._do(args, self._target(args["target"], task_vars or {}))}
        except ReleaseError as refusal:
            kind = {"failure": refusal.kind} if refusal.kind else {}
            hosts = {"failed_hosts": refusal.hosts} if refusal.hosts else {}
            return {**result, "failed": True, "msg": str(refusal), **kind, **hosts}

    def _do(self, args: dict[str, Any], target: Target) -> dict[str, Any]:
        check = self._task.check_mode
        if args["state"] == "listed":
            table, notes = undo.list_releases(target)
            return {"changed": False, "msg": [*table, *notes], "_ansible_verbose_always": True}
        if args["state"] == "rolled_back":
            return as_result(undo.roll_back(target, args["release"], check, say), check)
        return as_result(deliver.deliver(target, order(args), check, say), check)

    def _target(self, args: dict[str, Any], task_vars: dict[str, Any]) -> Target:
        defaults = {  # from the command line and ansible.cfg
            "ansible_user": self._play_context.remote_user,
            "ansible_ssh_private_key_file": self._play_context.private_key_file,
        }

        def host(name: str) -> Host:
            variables = task_vars["hostvars"][name]
            own = {key: self._templar.template(variables[key]) for key in CONNECTION if key in variables}
            return as_host(name, {**defaults, **own})

        return Target(
            dags=args["dags_folder"],
            user=args["owner"],
            group=args["group"],
            first=[host(name) for name in args["workers"]],
            last=[host(name) for name in args["masters"]],
            scheduler=host(args["scheduler"]),
            left_out=[host(name) for name in args["left_out"]],
            plugins=args["plugins_folder"],
            queues=args["queues"],
            lock_file=args["lock_file"],
            lock_wait=float(args["lock_wait"]),
            allow_missing=check_type_bool(args["allow_missing"]),
            file_mode=int(str(args["file_mode"]), 8),
            folder_mode=int(str(args["folder_mode"]), 8),
            runtime=named(check_type_list(args["runtime"])),
        )


def named(patterns: list[Any]) -> tuple[tuple[bool, str], ...]:
    """Return the patterns of runtime files as the hosts read them."""
    try:
        return tree.named(map(str, patterns))
    except ValueError as error:
        raise ReleaseError(f"dag_release_runtime has {error}, which is no pattern of gitignore.", "refused") from error


def say(line: str) -> None:
    """Show the beginning of a phase."""
    display.display(f"dag_release: {line}")


def order(args: dict[str, Any]) -> Order:
    """Return what is to be delivered, from the task's arguments."""
    source, parse, keep = args["source"], args["parse"], args["keep"]
    return Order(
        source=Source(
            folder=Path(source["folder"]).expanduser(),
            repo=source["repo"],
            version=source["version"],
            subfolder=source["subfolder"],
            allow_dirty=check_type_bool(source["allow_dirty"]),
            allow_empty=check_type_bool(source["allow_empty"]),
            ignore_file=source["ignore_file"],
            airflow_ignore_syntax=source["airflow_ignore_syntax"],
            safe_mode=check_type_bool(source["safe_mode"]),
            skip_checks=frozenset(check_type_list(source["skip_checks"])),
            check_ignore=tuple(check_type_list(source["check_ignore"])),
            max_file_size=int(source["max_file_size"]) << 20,
            extra={name: Path(path) for name, path in source["extra_files"].items()},
            neighbours=check_type_list(source["neighbours"]),
            plugins=source["plugins"],
            files=check_type_list(source["files"]),
            remove=check_type_list(source["remove"]),
        ),
        parse=Parse(
            wanted=check_type_bool(parse["wanted"]),  # `-e name=false` is a text
            python=parse["python"],
            environment=dict(parse["environment"]),
            limit=float(parse["timeout"]),
        ),
        keep=Keep(int(keep["releases"]), int(keep["minutes"]), keep["unmanaged"]),
    )


def as_host(name: str, values: dict[str, Any]) -> Host:
    """Return how to reach a host, from the variables that Ansible itself uses for it."""
    options = [
        *shlex.split(values.get("ansible_ssh_common_args") or ""),
        *shlex.split(values.get("ansible_ssh_extra_args") or ""),
    ]
    return Host(
        name=name,
        address=str(values.get("ansible_host") or name),
        user=values.get("ansible_user"),
        port=values.get("ansible_port"),
        key_file=values.get("ansible_ssh_private_key_file"),
        ssh_options=tuple(map(str, options)),
        python=values.get("ansible_python_interpreter") or "/usr/bin/python3",
    )


def as_result(report: Report, check: bool) -> dict[str, Any]:
    """Return the report as a task result that is always shown."""
    where = ("would go live on " if check else "is live on ") + ", ".join(report.changed)
    files = f" ({report.files} files)" if report.files else ""
    line = f"Release {report.release}{files} {where if report.changed else 'is live already'}."
    return {
        "changed": bool(report.changed),
        "release": report.release,
        "hosts": report.changed,
        "adopted": report.adopted,
        "plugins": report.plugins,
        "msg": [line, *report.notes],
        "diff": {"prepared": "".join(f"{line}\n" for line in report.lines)} if report.lines else [],
        "_ansible_verbose_always": True,
    }
