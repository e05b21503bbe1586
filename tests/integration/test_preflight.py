"""Bad inventories are refused by the playbooks themselves, each in one sentence, before any connection is opened."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from lab import vault

ROOT = Path(__file__).parents[2]
VARS = "inventories/dev/group_vars/dev"
SECRETS: dict[str, Any] = {
    "metadata_db_password": "marker-database",
    "broker_password": "marker-broker",
    "airflow_config_fernet_key": base64.urlsafe_b64encode(b"marker-fernet-0123456789-0123456").decode(),
    "airflow_config_secret_key": "marker-secret-key",
    "airflow_ui_passwords": {"admin": "marker-admin"},
}
MARKERS = [*(value for value in SECRETS.values() if isinstance(value, str)), "marker-admin"]


class Site:
    """A copy of the inventories with a vault, whose hosts cannot be reached and whose ssh leaves a trace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trace = folder / "connected"
        shutil.copytree(ROOT / "inventories", folder / "inventories", ignore=shutil.ignore_patterns("vault.yml"))
        for environment in ("dev", "prod"):
            self.write(f"inventories/{environment}/group_vars/{environment}/vault.yml", SECRETS)
        self.ssh = folder / "ssh"
        self.ssh.write_text(f"#!/bin/sh\ntouch {self.trace}\nexit 255\n")
        self.ssh.chmod(0o755)

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a YAML file of the site; group_vars/dev/zz.yml wins over all others."""
        (self.folder / name).write_text(yaml.safe_dump(content))

    def change(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the site."""
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def play(self, *arguments: str, playbook: str = "playbooks/preflight_inventory.yml") -> tuple[int, str]:
        """Run a playbook on dev; return its exit code and output."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment |= {"ANSIBLE_SSH_EXECUTABLE": str(self.ssh), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = ["ansible-playbook", "-i", str(self.folder / "inventories/dev"), *arguments, playbook]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site whose inventory is good."""
    return Site(tmp_path)


def test_the_good_inventory_passes_in_a_second_and_opens_no_connection(site: Site) -> None:
    code, output = site.play()
    assert code == 0, output
    assert not site.trace.exists()
    lines = output.strip().splitlines()
    assert lines[0] == lines[-1] == "Environment: dev"


def test_the_trace_would_tell_a_connection(site: Site) -> None:
    site.play(playbook="playbooks/preflight.yml")
    assert site.trace.exists()


TOPOLOGY = "inventories/dev/topology.yml"
# Words of Ansible's own inside, which tell an admin nothing.
INTERNAL = ("Traceback", "Finalization", "Error while", "Unexpected")
# Changes of files (file, old text, new text), variables of all hosts, the sentence.
BAD: dict[str, tuple[tuple[str, str, str] | None, dict[str, Any], str]] = {
    "missing secret": (
        None,
        {"metadata_db_password": None},
        f"Secret metadata_db_password is not set: put it in {VARS}/vault.yml.",
    ),
    "Fernet key": (
        None,
        {"airflow_config_fernet_key": "marker-broken"},
        "airflow_config_fernet_key is no Fernet key, its 13 characters are not URL-safe base64: "
        f"put 32 random bytes in URL-safe base64 (44 characters) in {VARS}/vault.yml.",
    ),
    "no worker": (
        (TOPOLOGY, "children: {datanodes: {}}", "hosts: {}"),
        {},
        f"Group airflow_worker of dev is empty and must hold at least one host: correct {TOPOLOGY}.",
    ),
    "two databases": (
        (TOPOLOGY, "metadata_db:\n  hosts: {mn01d: {}}", "metadata_db:\n  hosts: {mn01d: {}, dn01d: {}}"),
        {},
        "Group metadata_db of dev holds 2 hosts (mn01d, dn01d) and must hold exactly one: "
        f"correct {TOPOLOGY}, or set metadata_db_external if somebody else runs it.",
    ),
    "two schedulers": (
        (TOPOLOGY, "airflow_scheduler:\n  hosts: {mn01d: {}}", "airflow_scheduler:\n  hosts: {mn01d: {}, dn01d: {}}"),
        {},
        "Group airflow_scheduler of dev holds 2 hosts (mn01d, dn01d) and airflow_active_scheduler is '', but one must "
        "be active and the others standbys, because Airflow takes no row locks on MariaDB and two schedulers queue the "
        f"same task twice: name it in {VARS}/airflow.yml.",
    ),
    "worker outside the environment": (
        (TOPOLOGY, "datanodes:\n  hosts: {dn01d: {}}", "datanodes:\n  hosts: {dn01d: {}, dn02d: {}}"),
        {},
        "No environment holds dn02d: list each host below the group of its environment in inventories/dev/hosts.yml "
        f"or take it out of {TOPOLOGY}.",
    ),
    "host of prod": (
        ("inventories/dev/hosts.yml", "dn01d: {ansible_host: 192.0.2.121}", "dn01d: {ansible_host: 192.0.2.21}"),
        {},
        "Host dn01d of dev has the address 192.0.2.21, which inventories/prod/hosts.yml gives to dn01p of prod: "
        "correct it in inventories/dev/hosts.yml.",
    ),
    "duplicate address": (
        ("inventories/dev/hosts.yml", "192.0.2.121", "192.0.2.111"),
        {},
        "Hosts mn01d and dn01d have the same address 192.0.2.111: correct it in inventories/dev/hosts.yml.",
    ),
    "Airflow 3": (
        None,
        {"airflow_version": "3.3.2"},
        "airflow_version is '3.3.2', and Airflow 3 is refused on MariaDB, because its scheduler crashes 60 seconds "
        f"after every start there and the migration stops half way: set 2.11.2 in {VARS}/airflow.yml.",
    ),
    "stack version": (
        None,
        {"airflow_stack_version": "../x"},
        "airflow_stack_version is '../x' and must be one path component (letters, digits, . _ + -): "
        f"correct it in {VARS}/airflow.yml.",
    ),
    "charset": (
        None,
        {
            "airflow_config_parameters": {
                "sql_alchemy_conn": "mysql+mysqldb://a:marker-url@mn01p:3306/airflow/charset=utf8"
            }
        },
        "sql_alchemy_conn in airflow_config_parameters ends with /charset=, which names a database of that name: "
        f"write mysql+mysqldb://a:(secret)@mn01p:3306/airflow?charset=utf8mb4 in {VARS}/airflow_config.yml.",
    ),
    "login of a URL": (
        None,
        {"airflow_config_parameters": {"sql_alchemy_conn": "mysql://airflow:marker-url@mn01d/airflow"}},
        "sql_alchemy_conn in airflow_config_parameters contradicts metadata_db_password, by which passwords are "
        f"changed and logins tried: take it out in {VARS}/airflow_config.yml, for Airflow's URL follows from these "
        "variables, or write the same.",
    ),
    "unsafe name": (
        None,
        {"metadata_db_name": "air`flow"},
        "metadata_db_name is 'air`flow' and must be a database name (letters, digits, _, at most 64): "
        f"correct it in {VARS}/metadata_db.yml.",
    ),
    "broker": (
        None,
        {"broker_kind": "kafka"},
        f"broker_kind is 'kafka' and may be rabbitmq or redis: correct it in {VARS}/broker.yml.",
    ),
    "port": (
        None,
        {"broker_port": 70000},
        f"broker_port is 70000 and must be a port from 1 to 65535: correct it in {VARS}/broker.yml.",
    ),
    "port twice": (
        None,
        {"metadata_db_port": 5672},
        "Port 5672 is given to MariaDB and the broker on host mn01d: change metadata_db_port or broker_port in "
        f"{VARS}/.",
    ),
    "misspelt variable": (
        None,
        {"airflow_run_as_user": ["etl"]},
        "Variable airflow_run_as_user is known to no role (did you mean airflow_run_as_users?): correct or remove it "
        f"in {VARS}/airflow.yml.",
    ),
    "template": (
        None,
        {"metadata_db_host": "{{ the_database }}"},
        f"metadata_db_host cannot be worked out ('the_database' is undefined): correct it in {{site}}/{VARS}/zz.yml:1.",
    ),
    "UI password": (
        None,
        {
            "airflow_ui_users": [
                dict.fromkeys(("email", "first_name", "last_name"), "k") | {"username": "kim", "role": "Op"}
            ]
        },
        f"airflow_ui_users lists 'kim', who has no password: add it to airflow_ui_passwords in {VARS}/vault.yml.",
    ),
}


@pytest.mark.parametrize(("edit", "variables", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_inventory_is_refused_before_any_connection(
    site: Site, edit: tuple[str, str, str] | None, variables: dict[str, Any], sentence: str
) -> None:
    if edit:
        site.change(*edit)
    site.write(f"{VARS}/zz.yml", variables)
    code, output = site.play("-l", "datanodes")
    assert code == 2, output
    assert "The inventory has a fault; no host was touched." in output
    assert f"- {sentence.replace('{site}', str(site.folder))}\n" in output
    assert not [words for words in (*MARKERS, "marker-broken", "marker-url", *INTERNAL) if words in output]
    assert not site.trace.exists()


ZZ = f"{VARS}/zz.yml"
ROLES = f"{VARS}/airflow_config.yml"
ENCRYPTED = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
# Variables as an admin writes them, and the sentence; {site} is the folder of the site.
WRITTEN: dict[str, tuple[str, str]] = {
    "old name of a parameter": (
        "airflow_config_parameters: {dag_concurrency: 16}",
        "airflow_config_parameters takes no dag_concurrency, which has another name since Airflow 2.2.0: set [core] "
        f"max_active_tasks_per_dag in airflow_config_settings in {ROLES}.",
    ),
    "option as a parameter": (
        "airflow_config_parameters: {log_filename_template: x.log}",
        "airflow_config_parameters takes no log_filename_template: set [logging] log_filename_template in "
        f"airflow_config_settings in {ROLES}.",
    ),
    "misspelt parameter": (
        "airflow_config_parameters: {paralelism: 5}",
        f"airflow_config_parameters takes no paralelism (did you mean parallelism?): correct it in {ROLES}.",
    ),
    "old name of an option": (
        "airflow_config_settings: {scheduler: {statsd_on: true}}",
        "[scheduler] statsd_on has another name since Airflow 2.0.0; write [metrics] statsd_on: correct "
        f"airflow_config_settings in {ROLES}.",
    ),
    "value of an option": (
        "airflow_config_parameters: {parallelism: many}",
        f"[core] parallelism is 'many'; it must be an integer: correct airflow_config_parameters in {ROLES}.",
    ),
    "format with braces": (
        "airflow_config_settings:\n  logging:\n    log_format: '[%(asctime)s] {%(filename)s:%(lineno)d} %(message)s'",
        "airflow_config_settings.logging.log_format cannot be worked out (Syntax error in template: tag name "
        f"expected): correct it in {{site}}/{ZZ}:3, or write !unsafe before the text if it is no template.",
    ),
    "Airflow's own template": (
        "airflow_config_settings:\n  logging:\n    log_filename_template: 'dag_id={{ ti.dag_id }}.log'",
        "airflow_config_settings.logging.log_filename_template cannot be worked out ('ti' is undefined): "
        f"correct it in {{site}}/{ZZ}:3, or write !unsafe before the text if it is no template.",
    ),
    "secret with a line break": (
        "airflow_config_secret_key: |\n  marker-secret-key\n",
        "[webserver] secret_key begins or ends with white space or has several lines; use one line: correct "
        f"airflow_config_secret_key in {VARS}/vault.yml.",
    ),
    "dags folder": (
        "airflow_config_settings: {core: {dags_folder: /data/dags}}",
        "dags_folder in airflow_config_settings is '/data/dags', but DAG releases go to "
        f"/usr/hmg/2.2.1.0-552/airflow/dags: set airflow_dags_folder in {VARS}/airflow.yml instead.",
    ),
    "half of HTTPS": (
        "airflow_config_https_key: /etc/key.pem",
        "airflow_config_https_key is set without airflow_config_https_certificate: set both or none in " + ROLES + ".",
    ),
    "filter that does not exist": (
        "site_mail: \"{{ 'a' | at_home }}\"",
        "site_mail cannot be worked out (Syntax error in template: No filter named 'at_home'.): "
        f"correct it in {{site}}/{ZZ}:1.",
    ),
    "through another variable": (
        "site_broker: '{{ nobody }}'\nbroker_user: '{{ site_broker }}'",
        f"site_broker cannot be worked out ('nobody' is undefined): correct it in {{site}}/{ZZ}:1.",
    ),
    "login of Ansible": (
        "ansible_user: '{{ nobody }}'",
        f"ansible_user cannot be worked out ('nobody' is undefined): correct it in {{site}}/{ZZ}:1.",
    ),
    "secret of another vault": (
        f"site_secret: {ENCRYPTED}broker_password: '{{{{ site_secret }}}}'",
        "site_secret cannot be decrypted: give the vault password that it was encrypted with (--ask-vault-pass or "
        f"ANSIBLE_VAULT_PASSWORD_FILE), or encrypt it anew in {{site}}/{ZZ}:1.",
    ),
    "type inside a list": (
        "airflow_pools: [{name: etl, slots: many}]",
        f"airflow_pools[0].slots must be a whole number, it is 'many': correct it in {VARS}/airflow.yml.",
    ),
    "key that is missing": (
        "airflow_pools: [{name: etl}]",
        f"airflow_pools[0] lacks slots: correct it in {VARS}/airflow.yml.",
    ),
    "misspelt key": (
        "metadata_db_clients: [{name: kim, hosts: [], privilege: read_only}]\nmetadata_db_client_passwords: {kim: x}",
        "metadata_db_clients[0] has 'privilege', which no role knows (did you mean privileges?): correct it in "
        f"{VARS}/metadata_db.yml.",
    ),
    "environment": (
        "airflow_environment_extra: {PATH: /opt/bin}",
        f"airflow_environment_extra has PATH, which the role sets itself: take it out in {VARS}/airflow.yml.",
    ),
    "account that runs everything": (
        "airflow_run_as_users: [airflow]",
        f"airflow_run_as_users names airflow, as whom tasks run anyway: take it out in {VARS}/airflow.yml.",
    ),
    "account of the database": (
        "metadata_db_user: root",
        f"metadata_db_user names 'root', an account of the server itself: name another in {VARS}/metadata_db.yml.",
    ),
    "account of the broker": (
        "broker_user: guest",
        f"broker_user is 'guest', an account of the server itself: name another in {VARS}/broker.yml.",
    ),
    "network": (
        "broker_allowed_hosts: ['10.1.2.3; accept']",
        "broker_allowed_hosts names '10.1.2.3; accept' and must name hosts, IPv4 addresses or IPv4 networks as "
        f"10.1.2.0/24: correct it in {VARS}/broker.yml.",
    ),
    "batch": (
        "airflow_services_worker_batch: 0%",
        "airflow_services_worker_batch is '0%' and must be a number of hosts from 1 or a percentage from 1% to 100%: "
        f"correct it in {VARS}/airflow_services.yml.",
    ),
    "port of ssh": (
        "ansible_port: 70000",
        f"ansible_port is 70000 and must be a port from 1 to 65535: correct it in {VARS}/ansible.yml.",
    ),
}
DOORS = ("site.yml", "playbooks/config.yml", "deploy_dags.yml")


@pytest.mark.parametrize(
    ("text", "sentence", "door"),
    [(*case, DOORS[number % 3]) for number, case in enumerate(WRITTEN.values())],
    ids=WRITTEN,
)
def test_what_is_written_wrong_is_told_once_whatever_the_playbook(
    site: Site, text: str, sentence: str, door: str
) -> None:
    (site.folder / ZZ).write_text(text)
    code, output = site.play("--check", playbook=door)
    assert code == 2, output
    # Ansible shows the message of a failed task twice, on stdout for the host and on stderr.
    assert output.count(f"- {sentence.replace('{site}', str(site.folder))}\n") == 2, output
    assert "The inventory has a fault; no host was touched." in output
    assert not [words for words in (*MARKERS, *INTERNAL) if words in output]
    assert not site.trace.exists()


NO_YAML = {
    "tab": (
        "broker_host:\n\tx: 1\n",
        ":2 cannot be read (Tabs are usually invalid in YAML): indent with blanks, not with tabs.",
    ),
    "braces without quotes": (
        "broker_host: {{ site_broker }}\n",
        ":1 cannot be read (This may be an issue with missing quotes around a template block): put a value that begins "
        "with {{ into quotes.",
    ),
    "colon": (
        "broker_host: a: b\n",
        ":1 cannot be read (Colons in unquoted values must be followed by a non-space character): put a value that "
        "holds a colon and a blank into quotes.",
    ),
    "exclamation mark": (
        "broker_password: !marker-tag\n",
        ":1 cannot be read (Could not determine a constructor for the tag): put a value that begins with ! into "
        "quotes.",
    ),
    "list": ("- a\n", " holds no variables: write each as a line `name: value`."),
    "vault of somebody else": (
        vault.encrypt(SECRETS, "right"),
        " cannot be decrypted: give the vault password that it was encrypted with (--ask-vault-pass or "
        "ANSIBLE_VAULT_PASSWORD_FILE).",
    ),
}


@pytest.mark.parametrize(
    ("text", "sentence", "door"),
    [(*case, DOORS[number % 3]) for number, case in enumerate(NO_YAML.values())],
    ids=NO_YAML,
)
def test_a_file_that_cannot_be_read_is_named_once(site: Site, text: str, sentence: str, door: str) -> None:
    (site.folder / ZZ).write_text(text)
    code, output = site.play("--check", playbook=door)
    assert code == 4, output
    assert output.strip() == f"[ERROR]: {site.folder}/{ZZ}{sentence} No host was touched."
    assert not site.trace.exists()


@pytest.mark.parametrize("playbook", ["site.yml", "deploy_dags.yml"])
def test_the_doors_refuse_a_second_environment(site: Site, playbook: str) -> None:
    code, output = site.play("-i", str(site.folder / "inventories/prod"), "--check", playbook=playbook)
    assert code == 2, output
    assert (
        "- This play works on one environment and the inventory holds 2 (dev, prod): name one only with -i or "
        "ANSIBLE_INVENTORY.\n"
    ) in output
    assert output.startswith("Environments: dev and prod\n")
    assert not site.trace.exists()


def test_all_faults_are_told_at_once_and_no_secret_even_when_verbose(site: Site) -> None:
    site.write(f"{VARS}/zz.yml", {"broker_kind": "kafka", "airflow_version": "1.10", "airflow_pools": {}})
    code, output = site.play("-vvv", "--diff")
    assert code == 2, output
    assert "The inventory has 3 faults; no host was touched." in output
    assert not [marker for marker in MARKERS if marker in output]
    assert not site.trace.exists()


@pytest.mark.parametrize(("password", "code"), [("right", 0), ("wrong", 2)])
def test_a_secret_in_a_vault_is_read_unseen(site: Site, password: str, code: int) -> None:
    encrypted = VaultLib([("default", VaultSecret(b"right"))]).encrypt("marker-vault").decode()
    indented = "".join(f"  {line}\n" for line in encrypted.splitlines())
    (site.folder / VARS / "zz.yml").write_text(f"broker_password: !vault |\n{indented}")
    (site.folder / "password").write_text(password)
    found, output = site.play("-vvv", "--vault-password-file", str(site.folder / "password"))
    assert found == code, output
    assert "marker-vault" not in output
    assert ("- broker_password cannot be decrypted: give the vault password" in output) == (code == 2)


@pytest.mark.parametrize(
    ("password", "code", "words"),
    [
        ("right", 0, "Environment: dev"),
        ("wrong", 4, "vault.yml cannot be decrypted: give the vault password that it was encrypted with"),
    ],
    ids=["right", "wrong"],
)
def test_the_vault_of_a_site_is_read_unseen(site: Site, password: str, code: int, words: str) -> None:
    """The whole file encrypted, as `ansible-vault create` makes it."""
    (site.folder / VARS / "vault.yml").write_text(vault.encrypt(SECRETS, "right"))
    (site.folder / "password").write_text(password)
    found, output = site.play("-vvv", "--vault-password-file", str(site.folder / "password"))
    assert found == code, output
    assert words in output
    assert not [marker for marker in MARKERS if marker in output]


def test_the_command_line_is_checked_too(site: Site) -> None:
    code, output = site.play("-e", "airflow_environment=prod", "-e", "dag_release_kepe=3")
    assert code == 2, output
    assert "- airflow_environment is 'prod' on mn01d, dn01d, below group dev: write dev in " in output
    assert "- Variable dag_release_kepe is known to no role" in output
