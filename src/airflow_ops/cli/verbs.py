"""The table: which playbook a verb runs and which variable an option sets. A new playbook needs one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_ops.cli import values
from airflow_ops.cli.together import Values, clear, components, deploy, sync_meta, unchanged


@dataclass(frozen=True)
class Option:
    """One option or, without dashes, one argument, and the variable that it sets.

    :param kind: turns the text into the value; None makes it a switch.
    :param value: what a switch sets.
    """

    flag: str
    variable: str
    help: str
    kind: Callable[[str], Any] | None = None
    value: Any = True
    many: bool = False
    required: bool = False

    @property
    def is_argument(self) -> bool:
        return not self.flag.startswith("-")


@dataclass(frozen=True)
class Verb:
    """One verb.

    :param looks: changes nothing, so production is not asked about.
    :param limit: the hosts it means when none are named.
    :param confirmed: the variable that tells the playbook that somebody has seen the plan; such a verb always asks.
    :param expected: the variable that takes the digest of the plan that was agreed to, so that nothing else is done.
    :param state: the verb that shows where the hosts are after an interruption.
    :param whole: is repeated as it was, because it is done on all hosts or on none, or host after host, where a failure
        leaves hosts that were never reached; others go on where they failed.
    :param once: what to do after a failure of a verb that is never resumed, because it would do its work a second time.
    :param both: the options that name the source and the target, when two environments take part.
    :param prepare: looks at all values together, refuses what does not fit, and returns the variables.
    """

    name: str
    playbook: str
    summary: str
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    looks: bool = False
    limit: str = ""
    confirmed: str = ""
    expected: str = ""
    state: str = "status"
    whole: bool = False
    once: str = ""
    both: tuple[Option, Option] | None = None
    prepare: Callable[[Values], Values] = unchanged

    @property
    def playbook_name(self) -> str:
        return self.playbook.rpartition("/")[2]


COMPONENT = Option("COMPONENT...", "airflow_services_names", "services", values.component, many=True, required=True)
DRAIN = (
    Option(
        "--drain-timeout",
        "airflow_services_drain_timeout",
        "seconds to wait for a worker's running tasks",
        values.number(0, 604800),
    ),
    Option("--no-drain", "airflow_services_drain", "do not wait for them", value=False),
    Option("--force", "airflow_services_drain_force", "also end tasks that run longer than that"),
)
DAG = "the DAG's id"
TARGET = Option("--to", "connection_sync_target", "the environment that changes, never prod", values.name)
SOURCE = Option("--from", "connection_sync_source", "the environment that is read", values.name)

VERBS = (
    Verb("preflight", "playbooks/preflight.yml", "Look at inventory and hosts before anything changes.", looks=True),
    Verb(
        "site",
        "site.yml",
        "Build the cluster, or level it.",
        examples=("airflow-ops site --check", "airflow-ops -e prod site"),
        whole=True,
    ),
    Verb(
        "deploy",
        "deploy_dags.yml",
        "Bring the DAGs to all data nodes and the scheduler, or change nothing.",
        (
            Option("[PATH]...", "dag_release_files", "only these files, on top of what is live", str, many=True),
            Option("--remove", "remove", "take the files out of what is live instead"),
            Option("--at", "dag_release_version", "branch, tag or commit of the repository", values.revision),
            Option("--repo", "dag_release_repo", "the git repository instead of a folder", values.repository),
            Option(
                "--subfolder", "dag_release_subfolder", "the folder of the repository that holds the DAGs", values.below
            ),
            Option("--source", "dag_release_source", "the folder of the DAGs, by default dags/", values.folder),
            Option("--allow-missing", "dag_release_allow_missing", "go on without hosts that are down"),
            Option("--allow-dirty", "dag_release_allow_dirty", "deliver a folder with uncommitted changes"),
            Option("--no-parse", "dag_release_parse", "Airflow does not load the tree first", value=False),
            Option("--skip-check", "dag_release_skip_checks", f"without {', '.join(values.CHECKS)}", values.checks),
            Option("--wait", "dag_release_lock_wait", "seconds to wait for another delivery", values.number(0, 86400)),
        ),
        (
            "airflow-ops deploy --check",
            "airflow-ops -e prod deploy",
            "airflow-ops -e prod deploy PR_FORECAST.py      # as with ss FILE",
            "airflow-ops -e prod deploy --repo git@git.example.com:team/dags.git --at v1.4 --subfolder dags",
        ),
        limit="datanodes",
        state="releases",
        whole=True,
        prepare=deploy,
    ),
    Verb(
        "rollback",
        "playbooks/rollback_dags.yml",
        "Go back to the DAG release before the live one, or to a named one.",
        (Option("[RELEASE]", "dag_release_id", "the release, by default the one before", values.key),),
        ("airflow-ops -e prod rollback", "airflow-ops -e prod rollback 20260314T092600Z-0123456789ab"),
        state="releases",
        whole=True,
    ),
    Verb("releases", "playbooks/dag_releases.yml", "List the DAG releases of every host.", looks=True),
    Verb(
        "sync-meta",
        "sync_meta.yml",
        "Bring the connections of one environment to another.",
        (
            SOURCE,
            TARGET,
            Option("--prune", "connection_sync_prune", "also delete what the source does not have"),
        ),
        ("airflow-ops sync-meta --check", "airflow-ops sync-meta --from prod --to dev"),
        whole=True,
        both=(SOURCE, TARGET),
        prepare=sync_meta,
    ),
    Verb(
        "restore-meta",
        "playbooks/restore_meta.yml",
        "Put the connections back from a backup.",
        (Option("[BACKUP]", "connection_sync_backup", "the backup, by default the newest", values.key),),
        ("airflow-ops restore-meta --check",),
        whole=True,
    ),
    Verb(
        "config",
        "playbooks/config.yml",
        "Write airflow.cfg everywhere and restart what reads it.",
        examples=("airflow-ops -e prod config --check",),
        whole=True,
    ),
    Verb(
        "status",
        "playbooks/status.yml",
        "Show all services and the live DAG release.",
        examples=("airflow-ops -e prod status", "airflow-ops -e prod status --json"),
        looks=True,
    ),
    Verb(
        "check",
        "playbooks/check.yml",
        "Prove that every worker runs tasks.",
        examples=("airflow-ops -e prod check -l dn02p",),
        looks=True,
    ),
    Verb(
        "start",
        "playbooks/start.yml",
        "Start services.",
        (COMPONENT,),
        ("airflow-ops -e prod start scheduler webserver",),
        whole=True,
        prepare=components,
    ),
    Verb(
        "stop",
        "playbooks/stop.yml",
        "Stop services; workers end their running tasks first.",
        (COMPONENT, *DRAIN),
        ("airflow-ops -e prod stop worker -l dn02p",),
        whole=True,
        prepare=components,
    ),
    Verb(
        "restart",
        "playbooks/restart.yml",
        "Restart services, workers in batches.",
        (COMPONENT, *DRAIN),
        ("airflow-ops -e prod restart scheduler", "airflow-ops -e prod restart worker --drain-timeout 900"),
        whole=True,
        prepare=components,
    ),
    Verb(
        "trigger",
        "playbooks/trigger_dag.yml",
        "Start a run of a DAG.",
        (
            Option("DAG", "trigger_dag_id", DAG, values.key, required=True),
            Option("--conf", "trigger_dag_conf", "a JSON object, or @FILE that holds one", values.conf),
            Option("--wait", "trigger_dag_wait", "follow the run to its end"),
            Option("--timeout", "trigger_dag_wait_timeout", "seconds to follow it", values.number(1, 604800)),
            Option("--force", "trigger_dag_force", "also when the DAG is paused"),
        ),
        ("airflow-ops trigger MAIN_DAG --wait", "airflow-ops trigger MAIN_DAG --conf @conf.json"),
        once="look at the DAG's runs in the web page first; the command, repeated, starts another run",
    ),
    Verb(
        "clear",
        "playbooks/clear_tasks.yml",
        "Let tasks run again; shows them and asks first.",
        (
            Option("DAG", "clear_tasks_dag_id", DAG, values.key, required=True),
            Option("--task", "clear_tasks_pattern", "regular expression for the tasks", values.pattern),
            Option("--run", "clear_tasks_run_id", "only this DAG run", values.run_id),
            Option("--from", "clear_tasks_start", "runs from this date on", values.moment),
            Option("--to", "clear_tasks_end", "runs up to this date", values.moment),
            Option("--only-failed", "clear_tasks_only_failed", "only failed tasks"),
            Option("--no-downstream", "clear_tasks_downstream", "not what follows the tasks", value=False),
            Option("--no-recursive", "clear_tasks_recursive", "not the DAGs that wait for them", value=False),
            Option("--at-most", "clear_tasks_limit", "refuse to clear more tasks than this", values.number(1, 100000)),
        ),
        ("airflow-ops clear MAIN_DAG --run manual__2026-03-14T09:26:00+00:00 --task load --only-failed",),
        confirmed="clear_tasks_confirm",
        expected="clear_tasks_expected",
        whole=True,
        prepare=clear,
    ),
    Verb("watchdog status", "playbooks/watchdog_status.yml", "Show what the watchdog saw and did.", looks=True),
    Verb(
        "watchdog pause",
        "playbooks/watchdog_pause.yml",
        "Let the watchdog only look for a while.",
        (
            Option("--reason", "watchdog_pause_reason", "why", values.sentence, required=True),
            Option("--minutes", "watchdog_pause_minutes", "for how long", values.number(1, values.MOST_MINUTES)),
        ),
        ('airflow-ops -e prod watchdog pause --reason "upgrade of mn01p" --minutes 30',),
        state="watchdog status",
    ),
    Verb("watchdog resume", "playbooks/watchdog_resume.yml", "Let the watchdog act again.", state="watchdog status"),
    Verb(
        "failover",
        "playbooks/failover.yml",
        "Fence the active scheduler host and start the scheduler on another one.",
        (
            Option("HOST", "airflow_services_failover_to", "where it is to run", values.host, required=True),
            Option("--force", "airflow_services_failover_force", "although another scheduler host cannot be reached"),
        ),
        ("airflow-ops -e prod failover mn01p",),
        whole=True,
    ),
    Verb(
        "drift",
        "playbooks/drift.yml",
        "Compare what runs on the hosts with each other and with the inventory.",
        (
            Option("--html", "drift_html", "write the report as one page", values.new_file),
            Option("--report", "drift_json", "write the report as JSON", values.new_file),
            Option("--fail-on", "drift_fail_on", "from which severity on it fails", values.severity),
        ),
        ("airflow-ops -e prod drift --html drift.html", "airflow-ops -e prod drift --fail-on error"),
        looks=True,
    ),
    Verb(
        "fix-ownership",
        "playbooks/fix_ownership.yml",
        "Give files and folders back to the airflow account.",
        (
            Option(
                "[PATH]...",
                "fix_ownership_paths",
                "on the hosts; by default dags and logs",
                values.remote_path,
                many=True,
            ),
        ),
        ("airflow-ops -e prod fix-ownership --check",),
    ),
)
BY_NAME = {verb.name: verb for verb in VERBS}
