"""The ways to deliver that are compared: ours and its peers, each as the command that its users type."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.plain_cluster import HOME, PlainCluster

EMPTY = "sudo rm -rf {0} && sudo install -d -o airflow -g hadoop -m 0750 {0}"
FIRST, ONE, NOTHING = WORKS = ("first", "one", "nothing")
OURS, PING, SYNCHRONIZE, FLOOR = "deploy_dags.yml", "ping", "synchronize", "rsync"
PEERS = Path(__file__).parent / "peers"
DAGS, TARGET = f"{HOME}/dags", f"{HOME}/bench_dags"


@dataclass(frozen=True)
class Job:
    """One delivery to be made: the hosts, the tree, and the file that was changed (empty: deliver everything)."""

    cluster: PlainCluster
    tree: Path
    changed: str = ""

    def variables(self) -> dict[str, str]:
        """Return what the shell scripts read."""
        return {
            "HOSTS": " ".join(self.cluster.hosts),
            "SSH_CONFIG": str(self.cluster.settings.ssh_config),
            "TREE": str(self.tree),
            "TARGET": TARGET,
            "WHAT": self.changed,
        }


@dataclass(frozen=True)
class Way:
    """A way to deliver: its command, the works that it knows, and the commands that forget a delivery on a host."""

    name: str
    meaning: str
    command: Callable[[Job], list[str]]
    works: tuple[str, ...] = WORKS
    forget: str = EMPTY.format(TARGET)


def ours(job: Job, parse: bool = False) -> list[str]:
    """Return the command as an admin types it; plain hosts have no Airflow that could parse the tree."""
    values = ("-e", f"dag_release_source={job.tree}", *(() if parse else ("-e", "dag_release_parse=false")))
    return job.cluster.argv("deploy_dags.yml", "-l", "datanodes", *values)


def peer_playbook(name: str) -> Callable[[Job], list[str]]:
    """Return the command of a playbook in peers/."""

    def command(job: Job) -> list[str]:
        values = json.dumps({"bench_tree": str(job.tree), "bench_target": TARGET})
        return job.cluster.argv(str(PEERS / f"{name}.yml"), "-e", values)

    return command


def script(name: str) -> Callable[[Job], list[str]]:
    """Return the command of a shell script in peers/; it reads its input from the environment."""
    return lambda _job: [str(PEERS / f"{name}.sh")]


WAYS = (
    Way(
        OURS,
        "this repository: checked, staged, verified, switched everywhere or nowhere",
        ours,
        forget=f"sudo rm -rf {HOME}/dag_releases && {EMPTY.format(DAGS)}",
    ),
    Way(FLOOR, "the floor: rsync to all hosts in parallel, without Ansible", script("rsync")),
    Way(PING, "a playbook with one ping, which delivers nothing", peer_playbook("ping"), works=(NOTHING,)),
    Way(SYNCHRONIZE, "`ansible.posix.synchronize`", peer_playbook("synchronize")),
    Way("unarchive", "`ansible.builtin.unarchive`", peer_playbook("unarchive")),
    Way(
        "scp loop",
        "the manual's scp node by node, then chown",
        script("scp_loop"),
        (FIRST, ONE),
        f"rm -rf dags_new && {EMPTY.format(TARGET)}",
    ),
    Way("copy", "`ansible.builtin.copy` of the folder", peer_playbook("copy")),
)
