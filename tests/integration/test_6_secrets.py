"""No secret of the vault appears in output, process lists, logs or files that others can read, also when tasks fail."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from lab.airflow_cluster import Cluster
from tests.integration.conftest import SecondRun

HOSTS = ("mn01p", "mn02p", "dn01p")
MARKERS = {
    "metadata_db_password": "marker-database-%@/# 표시",
    "broker_password": "marker-broker-7261",
    "airflow_config_smtp_password": "marker-mail-9217",
    "airflow_config_secret_key": "marker-signing-key-5512",
    "airflow_ui_passwords": {"admin": "marker-web-3306"},
}
FOLDERS = "/etc /usr/hmg /var/log /var/lib /var/cache /tmp /run /home /var/tmp"


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def secrets(cluster: Cluster) -> list[str]:
    """Return every secret of the vault, and its password, as it is and as it stands in a URL or in airflow.cfg."""
    plain = [*strings(cluster.secrets()), cluster.settings.vault_password.read_text().strip()]
    assert len(plain) > 5
    return [form for text in [*plain, *strings(MARKERS)] for form in forms(text)]


def forms(text: str) -> set[str]:
    """Return a secret as it is, as it stands in a URL, in airflow.cfg (percent signs doubled) and in JSON."""
    quoted = {text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1]}
    return quoted | {form.replace("%", "%%") for form in quoted}


def leaks(text: str, secrets: list[str]) -> list[str]:
    return [secret[:4] + "..." for secret in secrets if secret in text]


def test_a_verbose_run_with_diff_shows_none(second_run: SecondRun, secrets: list[str]) -> None:
    assert leaks(second_run.output, secrets) == []
    assert len(second_run.processes) > 50
    assert leaks("\n".join(second_run.processes), secrets) == []


@pytest.fixture
def markers(tmp_path: Path) -> str:
    """Return the argument that replaces the secrets of the vault by markers."""
    file = tmp_path / "markers.json"
    file.write_text(json.dumps(MARKERS))
    return f"@{file}"


def test_a_preview_of_changed_secrets_shows_none(cluster: Cluster, secrets: list[str], markers: str) -> None:
    tags = "metadata_db,broker,airflow_config,airflow_ui"
    run = cluster.playbook("site.yml", "--check", "-vvv", "--diff", "--tags", tags, "-e", markers)
    assert "(secret, changed)" in run.stdout
    assert leaks(run.stdout + run.stderr, secrets) == []


@pytest.mark.parametrize(
    ("playbook", "tags", "words"),
    [
        pytest.param("playbooks/migrate.yml", "metadata_db", "Cannot use", id="database login"),
        pytest.param("playbooks/migrate.yml", "broker", "refuses", id="broker login"),
        pytest.param("playbooks/check.yml", "all", "refuses", id="web login"),
    ],
)
def test_failing_tasks_show_none(
    cluster: Cluster, secrets: list[str], markers: str, playbook: str, tags: str, words: str
) -> None:
    run = cluster.playbook(playbook, "-vvv", "--diff", "--tags", tags, "-e", markers, check=False)
    assert run.returncode != 0
    assert words in run.stdout + run.stderr
    assert leaks(run.stdout + run.stderr, secrets) == []


def test_a_refused_configuration_shows_none(cluster: Cluster, secrets: list[str]) -> None:
    wrong = '{"airflow_config_settings": {"core": {"paralelism": 5}, "smtp": {"smtp_port": "x"}}}'
    run = cluster.playbook("playbooks/config.yml", "-vvv", "--diff", "-e", wrong, check=False)
    assert run.returncode != 0
    assert leaks(run.stdout + run.stderr, secrets) == []


# Reads patterns from its input; prints the files that others can read and that hold one, and the count in the journal.
SEARCH = f"""
cat >/root/patterns
find {FOLDERS} -xdev -type f -perm /004 -size -5M ! -path '*/site-packages/*' -print0 |
  xargs -0 grep -lFf /root/patterns
grep -rlFf /root/patterns /var/log
journalctl --no-pager | grep -cFf /root/patterns
rm /root/patterns
"""


@pytest.mark.parametrize("host", HOSTS)
def test_no_file_that_others_can_read_and_no_log_holds_one(cluster: Cluster, secrets: list[str], host: str) -> None:
    argv = ["ssh", "-F", str(cluster.settings.ssh_config), host, f"sudo sh -c {shlex.quote(SEARCH)}"]
    found = subprocess.run(argv, input="\n".join(secrets), capture_output=True, text=True, check=False).stdout.split()
    assert found == ["0"]
