"""Both hosts read the same release through the link, owned airflow:hadoop."""

from testinfra.host import Host

HOME = "/usr/hmg/2.2.1.0-552/airflow"


def test_the_link_names_a_complete_release(host: Host) -> None:
    with host.sudo():
        release = host.file(f"{HOME}/dags").linked_to
        assert release.startswith(f"{HOME}/dag_releases/")
        assert host.file(f"{release}.json").contains(release.rsplit("/", 1)[1])


def test_the_tree_is_owned_by_airflow_and_hadoop(host: Host) -> None:
    with host.sudo():
        assert host.check_output(f"find {HOME}/dags/ ! \\( -user airflow -group hadoop \\)") == ""


def test_other_accounts_cannot_read_it(host: Host) -> None:
    assert host.run(f"sudo -u nobody cat {HOME}/dags/MAIN_DAG.py").rc != 0


def test_no_staging_folder_is_left(host: Host) -> None:
    with host.sudo():
        assert host.check_output(f"find {HOME}/dag_releases -maxdepth 1 -name '.staging-*'") == ""


def test_no_lock_is_left(host: Host) -> None:
    assert not host.file("/var/lib/airflow-ops/locks/dag_release.json").exists


def test_an_older_release_shares_no_file(host: Host) -> None:
    with host.sudo():
        assert host.check_output(f"find {HOME}/dag_releases -type f -links +1") == ""
