"""What the service looked like before it was restarted: a folder that stays, without secrets."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from airflow_watchdog import airflow_cfg
from airflow_watchdog.config import Config
from airflow_watchdog.look import run
from airflow_watchdog.redact import redacted

LIMIT = 10.0  # seconds for each command; a restart does not wait longer for its evidence


def collect(config: Config, name: str, message: str) -> tuple[str, list[str]]:
    """Write what can be seen without root; return the folder, empty when it cannot be written, and the secrets."""
    secrets = airflow_cfg.secrets_of(airflow_cfg.read(config.home))
    folder = Path(config.evidence_folder) / name
    try:
        folder.mkdir(parents=True, mode=0o750)
        prune(folder.parent, config.evidence_keep)
        texts = {"why.txt": f"{message}\n", "unit.txt": unit(config), "processes.txt": processes(config)}
        texts["host.txt"] = host(config)
        texts["stack.txt"] = stacks(config)
        for file, text in texts.items():
            (folder / file).write_text(redacted(text, secrets), encoding="utf-8")
    except OSError:  # a full disk: no evidence, but a restart
        return "", secrets
    return str(folder), secrets


def add(folder: str, file: str, text: str, secrets: list[str]) -> None:
    """Add one more text to the evidence."""
    if folder:
        try:
            (Path(folder) / file).write_text(redacted(text, secrets), encoding="utf-8")
        except OSError:
            return


def prune(parent: Path, keep: int) -> None:
    """Remove all but the newest folders."""
    for old in sorted(path for path in parent.iterdir() if path.is_dir())[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def unit(config: Config) -> str:
    """Return what systemd says about the unit."""
    return run(["systemctl", "show", config.unit], LIMIT)[1]


def main_process(config: Config) -> int:
    """Return the main process of the unit, 0 when there is none."""
    said = run(["systemctl", "show", "--property=MainPID", "--value", config.unit], LIMIT)[1].strip()
    return int(said) if said.isdigit() else 0


def processes(config: Config) -> str:
    """Return the processes of the unit's cgroup: parent, state, memory, what each waits in, and command."""
    said = run(["systemctl", "show", "--property=ControlGroup", "--value", config.unit], LIMIT)[1].strip()
    lines = ["pid\tparent\tstate\tmemory\twaits in\tcommand"]
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if said and said in (folder / "cgroup").read_text():
                lines.append(process(folder))
        except (OSError, KeyError):  # it has ended, or belongs to somebody else
            continue
    return "\n".join(lines) + "\n"


def process(folder: Path) -> str:
    """Return one line about a process."""
    pairs = (line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    status = dict(pairs)
    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    fields = (folder.name, status["PPid"], status["State"], status.get("VmRSS", ""), (folder / "wchan").read_text())
    return "\t".join((*fields, command))


def host(config: Config) -> str:
    """Return load, memory and free disk."""
    lines = [f"time {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}", f"load {os.getloadavg()}"]
    lines += Path("/proc/meminfo").read_text().splitlines()[:3]
    for folder in (config.home, "/var/log/airflow", "/tmp"):
        if Path(folder).exists():
            lines.append(f"free in {folder}: {shutil.disk_usage(folder).free // 2**20} MiB")
    return "\n".join(lines) + "\n"


def stacks(config: Config) -> str:
    """Return the Python stack of the main process where py-spy is installed beside Airflow."""
    program, process = f"{config.home}/venv/bin/py-spy", main_process(config)
    if not process or not Path(program).exists():
        return "There is no main process, or no py-spy in the virtual environment of Airflow.\n"
    return run([program, "dump", "--nonblocking", "--pid", str(process)], LIMIT)[1]
