"""The base of an Airflow host, and that nobody escapes through the rules for tasks with run_as_user."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
from testinfra.host import Host

HOME = "/usr/hmg/2.2.1.0-552/airflow"
TEMPORARY = "/tmp/tmpabcd_123"


def as_airflow(host: Host, command: str) -> tuple[int, str]:
    """Run a command in the login shell of the account; return exit code and all output."""
    # Through standard input: sudo -i would let the login shell expand the command's variables first.
    done = host.run(f"printf %s {shlex.quote(command)} | sudo -iu airflow bash -s 2>&1")
    return done.rc, done.stdout


@pytest.fixture(autouse=True)
def no_left_overs(host: Host) -> Iterator[None]:
    """Each test ends without the temporary file."""
    yield
    host.run(f"sudo rm -rf {TEMPORARY} /tmp/other_name /tmp/tmpabcd_124")


def test_account(host: Host) -> None:
    account = host.user("airflow")
    assert (account.group, account.shell) == ("hadoop", "/bin/bash")
    assert account.gid == 4242, "the group keeps the number that it came with"


@pytest.mark.parametrize(
    ("path", "owner", "group", "mode"),
    [
        ("/usr/hmg", "root", "root", 0o755),
        (HOME, "airflow", "hadoop", 0o750),
        ("/var/log/airflow", "airflow", "hadoop", 0o2770),
        ("/etc/airflow", "root", "root", 0o755),
        ("/etc/airflow/airflow.env", "root", "root", 0o644),
        ("/etc/sudoers.d/airflow-run-as", "root", "root", 0o440),
        ("/usr/local/libexec/airflow/chown", "root", "root", 0o755),
    ],
)
def test_folders_and_files(host: Host, path: str, owner: str, group: str, mode: int) -> None:
    with host.sudo():
        found = host.file(path)
        assert (found.user, found.group, found.mode) == (owner, group, mode)


def test_the_scheduler_host_alone_has_locks(host: Host) -> None:
    assert host.file("/var/lib/airflow-ops/locks").exists == (host.backend.get_hostname() == "mn01d")


def test_the_login_shell_is_that_of_airflow(host: Host) -> None:
    _, output = as_airflow(host, 'echo "$AIRFLOW_HOME|$PATH|$HADOOP_OPTS|$(ulimit -n)"')
    home, path, options, files = output.strip().split("|")
    assert home == HOME
    assert path.startswith(f"{HOME}/venv/bin:/usr/lib/jvm/java/bin:")
    assert "/usr/sbin" in path.split(":")
    assert options == '-Da=b -Dc="d $e"'
    assert files == "12345"


def test_systemd_reads_the_same_environment(host: Host) -> None:
    done = host.run(
        "sudo systemd-run --quiet --wait --pipe --property=EnvironmentFile=/etc/airflow/airflow.env "
        "/usr/bin/printenv AIRFLOW_HOME HADOOP_OPTS"
    )
    assert done.stdout.splitlines() == [HOME, '-Da=b -Dc="d $e"']


def test_the_profile_of_others_stays_as_it_is(host: Host) -> None:
    assert host.run("bash -lc 'echo ${AIRFLOW_HOME:-none}'").stdout.strip() == "none"


def test_the_admin_finds_the_inventory_on_the_scheduler_host(host: Host) -> None:
    host.run("mkdir -p ~/airflow-ops")
    found = host.run("bash -lc 'echo ${ANSIBLE_INVENTORY:-none}'").stdout.strip()
    here = host.backend.get_hostname() == "mn01d"
    assert found == ("/home/mbsadmin/airflow-ops/inventories/dev" if here else "none")
    host.run("rmdir ~/airflow-ops")


def test_dags_can_know_the_cluster(host: Host) -> None:
    _, output = as_airflow(host, f"cat {HOME}/cluster.json")
    assert json.loads(output) == {"environment": "dev", "workers": ["dn01d"]}


# What Airflow does for a task with run_as_user.


def test_the_account_is_in_the_group_and_reaches_airflow_home(host: Host) -> None:
    assert "hadoop" in host.user("spark").groups
    code, output = as_airflow(host, f"sudo -E -H -u spark env X=1 sh -c 'cd {HOME}; id -un; echo $AIRFLOW_HOME $HOME'")
    assert (code, output.split()) == (0, ["spark", HOME, "/home/spark"])


def test_the_temporary_file_changes_hands_and_goes(host: Host) -> None:
    code, output = as_airflow(
        host,
        f"umask 077; echo secret > {TEMPORARY}; sudo chown spark {TEMPORARY} && stat -c %U:%a {TEMPORARY}"
        f" && sudo rm {TEMPORARY}; test -e {TEMPORARY} || echo gone",
    )
    assert (code, output.split()) == (0, ["spark:600", "gone"])


def test_the_temporary_file_goes_also_when_its_chown_was_refused(host: Host) -> None:
    code, output = as_airflow(
        host,
        f"umask 077; echo secret > {TEMPORARY}; sudo -n chown mbsadmin {TEMPORARY} || sudo -n rm {TEMPORARY};"
        f" test -e {TEMPORARY} || echo gone",
    )
    assert (code, output.split()[-1]) == (0, "gone")


def test_a_process_of_the_account_can_be_ended(host: Host) -> None:
    code, output = as_airflow(
        host,
        "sudo -E -H -u spark sleep 60 & until pid=$(pgrep -u spark -x sleep); do sleep 0.2; done; "
        "sudo -n kill -15 $! $pid; wait $!; pgrep -u spark -x sleep || echo ended",
    )
    assert (code, output.split()[-1]) == (0, "ended")


def test_a_process_of_others_cannot_be_ended(host: Host) -> None:
    pid = host.run("sleep 60 >/dev/null 2>&1 & echo $!").stdout.strip()
    as_airflow(host, f"sudo -n kill -9 {pid}")
    assert host.run(f"kill {pid}").rc == 0


REFUSED_BY_SUDO = {
    "another file": "sudo -n chown spark /etc/shadow",
    "a path out of tmp": "sudo -n chown spark /tmp/tmp/../../etc/shadow",
    "a longer name": f"sudo -n chown spark {TEMPORARY}/../../etc/shadow",
    "a second file": f"sudo -n chown spark {TEMPORARY} /etc/shadow",
    "an option": f"sudo -n chown --reference=/home spark {TEMPORARY}",
    "another account": f"sudo -n chown mbsadmin {TEMPORARY}",
    "a line break": f"sudo -n chown spark $'{TEMPORARY}\\n/etc/shadow'",
    "account and group": f"sudo -n chown spark:shadow {TEMPORARY}",
    "the system's chown": f"sudo -n /usr/bin/chown spark {TEMPORARY}",
    "removing another file": "sudo -n rm /etc/shadow",
    "removing a tree": f"sudo -n rm -r {TEMPORARY}",
    "a shell": "sudo -n sh -c id",
    "a shell as another account": "sudo -n -u mbsadmin id",
    "a path of one's own": f"PATH=/tmp:$PATH sudo -n -E chown spark {TEMPORARY}",
    "a Python of one's own": f"sudo -n PYTHONPATH=/tmp chown spark {TEMPORARY}",
    "an editor": "sudoedit -n /etc/shadow",
}


@pytest.mark.parametrize("command", REFUSED_BY_SUDO.values(), ids=REFUSED_BY_SUDO)
def test_sudo_refuses(host: Host, command: str) -> None:
    code, output = as_airflow(host, f"echo x > {TEMPORARY}; {command}")
    assert code != 0, output
    assert host.run("sudo stat -c %U:%G /etc/shadow").stdout.strip() == "root:shadow"


PREPARED = {
    "symbolic link": ("ln -s /etc/shadow {file}", "Too many levels of symbolic links"),
    "hard link": ("echo x > /tmp/other_name; ln /tmp/other_name {file}", "not a plain file with one name"),
    "folder": ("mkdir {file}", "not a plain file"),
    "pipe": ("mkfifo {file}", "not a plain file"),
    "nothing": ("true", "No such file"),
}


@pytest.mark.parametrize("command", ["chown spark", "rm"])
@pytest.mark.parametrize(("prepare", "reason"), PREPARED.values(), ids=PREPARED)
def test_the_command_refuses_what_the_pattern_cannot_see(host: Host, command: str, prepare: str, reason: str) -> None:
    code, output = as_airflow(host, f"{prepare.format(file=TEMPORARY)}; sudo -n {command} {TEMPORARY}")
    assert code != 0
    assert reason in output
    assert host.run("sudo stat -c %U:%G:%a /etc/shadow").stdout.strip() == "root:shadow:640"


def test_a_hard_link_to_a_file_of_root_is_refused(host: Host) -> None:
    host.run(f"sudo touch /tmp/tmpabcd_124; sudo ln /tmp/tmpabcd_124 {TEMPORARY}")
    code, output = as_airflow(host, f"sudo -n chown spark {TEMPORARY}")
    assert code != 0 and "plain file with one name" in output


@pytest.mark.parametrize("command", ["chown spark", "rm"])
def test_a_file_of_root_is_refused(host: Host, command: str) -> None:
    host.run(f"sudo touch {TEMPORARY}")
    code, output = as_airflow(host, f"sudo -n {command} {TEMPORARY}")
    assert code != 0 and "belong" in output
    assert host.file(TEMPORARY).user == "root"
