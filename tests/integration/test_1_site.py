"""The cluster from bare hosts; the tests run in this order and leave the cluster for the modules that follow."""

import subprocess

import pytest

from lab.airflow_cluster import Cluster, built_from
from tests.integration.conftest import SecondRun
from tests.integration.recap import changed_by_host, changing_tasks

HOSTS = ("mn01p", "mn02p", "dn01p", "dn02p", "dn03p")
TREE = built_from("prod")  # as it is before the cluster is built


# Names, modes, owners and times of what a role would write, and the packages; logs and Ansible's own traces apart.
STATE = (
    "sudo find /etc /usr /opt /srv /home /var/lib -xdev ! -path '/home/mbsadmin/.ansible*' ! -path '/var/lib/apt/*' "
    "! -path '/var/lib/systemd/*' ! -name __pycache__ ! -name '*.pyc' -printf '%p %m %u %g %T@\\n' | sort | sha256sum; "
    "dpkg-query -W | sha256sum"
)


def state(cluster: Cluster, host: str) -> str:
    return cluster.ssh(host, STATE).stdout


def test_bare_hosts_boot() -> None:
    subprocess.run(["lab", "destroy", *HOSTS], check=True)
    subprocess.run(["lab", "up", "--bare", *HOSTS], check=True)


def test_the_servers_that_belong_to_somebody_else_are_there(cluster: Cluster) -> None:
    """Mail, FTP and the accounts of run_as_user: what a site has before this repository comes."""
    cluster.playbook("lab/services/services.yml")


def test_a_preview_passes_on_bare_hosts_and_changes_nothing(cluster: Cluster) -> None:
    before = {host: state(cluster, host) for host in HOSTS}
    cluster.playbook("site.yml", "--check", "--diff")
    assert {host: state(cluster, host) for host in HOSTS} == before


def test_site_builds_the_cluster(cluster: Cluster) -> None:
    changed = changed_by_host(cluster.playbook("site.yml"))
    assert set(changed) >= set(HOSTS)
    assert all(changed[host] for host in HOSTS)


def test_a_second_run_changes_nothing(second_run: SecondRun) -> None:
    assert set(second_run.changed) >= set(HOSTS)
    assert not any(second_run.changed.values()), second_run.changing_tasks


def test_a_preview_of_the_finished_cluster_shows_no_change(cluster: Cluster) -> None:
    run = cluster.playbook("site.yml", "--check", "--diff", "-l", "mn01p,mn02p,dn01p")  # one host of each kind
    assert not any(changed_by_host(run).values()), changing_tasks(run)


@pytest.mark.usefixtures("second_run")
def test_everything_is_back_after_all_hosts_have_booted_again(cluster: Cluster) -> None:
    """The copies that are made meanwhile are the clusters of the fault tests."""
    cluster.save(TREE)
    cluster.playbook("playbooks/status.yml")
