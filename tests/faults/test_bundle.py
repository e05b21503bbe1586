"""A site without internet: from the bundle alone, a bare admin host sets itself up and builds the cluster.

Has a lab of its own, beside whatever else runs: the two hosts of dev, of which mn01d is the admin host too. What the
distribution brings comes from the layers, as it would come from the site's mirror.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab import apt, keys, settings

NAME = "labbun"
ENVIRONMENT = {"LAB_NAME": NAME, "LAB_NETWORK": "10.76.252.0/24", "LAB_STATE": f"/var/lib/airflow-ops-lab/{NAME}"}
LAB = settings.from_environment(ENVIRONMENT)
ADMIN_HOST, DATA = HOSTS = ("mn01d", "dn01d")
REPOSITORY = "airflow-ops"  # below the home of mbsadmin, where the bundle's setup puts it
VENV = "/usr/hmg/2.2.1.0-552/airflow/venv"


def run(*words: str | Path) -> str:
    """Run a command on this machine, which must succeed; return what it prints."""
    done = subprocess.run(
        words, env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def lab(*words: str) -> None:
    """Run a command of the lab."""
    run(settings.REPOSITORY / "lab/lab", *words)


def on(host: str, command: str) -> str:
    """Run a command as mbsadmin on a host, which must succeed; return what it prints."""
    return run("ssh", "-F", LAB.ssh_config, host, command)


def send(target: str, *files: Path) -> None:
    """Copy files to the admin host, with their modes."""
    run("scp", "-q", "-p", "-F", LAB.ssh_config, *files, f"{ADMIN_HOST}:{target}")


def play(*words: str) -> str:
    """Run a playbook on the admin host, from its repository, and without any setting from here."""
    command = f"ansible-playbook --vault-password-file ~/.airflow-ops-vault {' '.join(words)}"
    return on(ADMIN_HOST, f"cd {REPOSITORY} && . .venv/bin/activate && {command}")


def outside() -> tuple[str, int]:
    """Return name and port of a server that hosts with internet can reach: the mirror of this machine."""
    mirror = urlsplit(apt.outer_sources().mirror)
    return mirror.hostname or "", mirror.port or {"http": 80, "https": 443}[mirror.scheme]


def reached(host: str, address: str) -> tuple[bool, bool]:
    """Tell whether a host gets an answer from DNS, and a connection to the address outside."""
    name, port = outside()
    tests = (f"timeout 8 getent ahostsv4 {name}", f"timeout 5 bash -c '</dev/tcp/{address}/{port}'")
    names, connects = (on(host, f"{test} >/dev/null 2>&1 && echo yes || echo no") == "yes\n" for test in tests)
    return names, connects


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Boot the hosts, cut them off the internet and return an address outside; take them away whatever happens."""
    lab("destroy")
    try:
        lab("up", *HOSTS)
        address = on(ADMIN_HOST, f"getent ahostsv4 {outside()[0]}").split()[0]
        assert reached(ADMIN_HOST, address) == (True, True), "no internet even before the cut: proves nothing"
        for host in HOSTS:
            on(host, "sudo ip route delete default")
        yield address
    finally:
        lab("destroy")


@pytest.fixture(scope="module")
def bundle(address: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of the unpacked bundle on the admin host, whose setup has run."""
    made = run(sys.executable, "-m", "airflow_ops.bundle", tmp_path_factory.mktemp("bundle"))
    archive = Path(made.splitlines()[-1])
    send(".", archive)
    archive.unlink()
    on(ADMIN_HOST, f"tar -xf {archive.name} && rm {archive.name} && ./{archive.stem}/setup")
    return f"/home/mbsadmin/{archive.stem}"


@pytest.fixture(scope="module")
def site(bundle: str) -> str:
    """Give the admin host what is the site's own, build the cluster from the bundle and return what Ansible said."""
    send(".ssh/", keys.admin_key(LAB), keys.known_hosts_file(LAB))
    values = LAB.inventory / "group_vars/dev"
    send(f"{REPOSITORY}/inventories/dev/hosts.yml", LAB.inventory / "dev.yml")
    send(f"{REPOSITORY}/inventories/dev/group_vars/dev/", values / "sizes.yml", values / "vault.yml")
    send(".airflow-ops-vault", LAB.vault_password)
    return play("site.yml", f"-e airflow_install_bundle={bundle}")


def test_nothing_outside_is_reached(address: str) -> None:
    assert [reached(host, address) for host in HOSTS] == [(False, False)] * 2


def test_the_admin_host_is_bare(address: str) -> None:
    """Nothing there could help the setup, which runs next, to fetch or to build packages."""
    on(ADMIN_HOST, "! command -v pip pip3 uv git gcc make && ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null")


def test_every_host_runs_what_the_bundle_holds(bundle: str, site: str) -> None:
    locks = on(ADMIN_HOST, f"ls {bundle}/wheelhouse").split()
    for host in HOSTS:
        environment = on(host, f"sudo readlink {VENV}").strip()
        assert environment.rpartition("-")[2] in locks


def test_services_run(site: str) -> None:
    """As the admin asks, in a login shell: the profile that site.yml installed finds what setup put there."""
    on(ADMIN_HOST, f"bash -lc 'cd {REPOSITORY} && ansible-playbook playbooks/status.yml'")


def test_every_data_node_runs_tasks(site: str) -> None:
    play("deploy_dags.yml", "-l datanodes")
    assert DATA in play("playbooks/check.yml")


def test_the_bundle_may_be_named_in_the_inventory(bundle: str, site: str) -> None:
    """The line that setup advises does what -e does: nothing is left to install."""
    values = f"{REPOSITORY}/inventories/dev/group_vars/dev/airflow.yml"
    on(ADMIN_HOST, f"echo 'airflow_install_bundle: {bundle}' >> {values}")
    recap = play("site.yml", "--tags airflow_install").partition("PLAY RECAP")[2]
    assert recap.count("changed=0") == recap.count("ok=") == len(HOSTS)


def test_setup_again_keeps_the_inventory(bundle: str, site: str) -> None:
    tell = f"cd {REPOSITORY}/inventories && find . -type f -exec sha256sum {{}} +"
    before = on(ADMIN_HOST, tell)
    on(ADMIN_HOST, f"rm {REPOSITORY}/site.yml && {bundle}/setup && test -e {REPOSITORY}/site.yml")
    assert on(ADMIN_HOST, tell) == before


def test_nothing_outside_was_reached_all_along(address: str, site: str) -> None:
    assert [reached(host, address) for host in HOSTS] == [(False, False)] * 2
