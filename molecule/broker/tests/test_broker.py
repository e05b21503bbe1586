"""The broker as its users meet it: over TCP from another host, with Airflow's account."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest
import testinfra
from testinfra.host import Host

from lab.airflow_cluster import Cluster

CLUSTER = Cluster.named("dev")
PASSWORD = CLUSTER.secrets()["broker_password"]
ROTATED = "r%@/# 한글:$HOME~x"
PLAYBOOK = "molecule/broker/converge.yml"
LOGIN = """
import json, sys, kombu
given = json.load(sys.stdin)
connection = kombu.Connection(hostname="mn01d", connect_timeout=5, **given)
try:
    with connection:
        queue = connection.SimpleQueue("probe")
        queue.put("한😀")
        message = queue.get(timeout=5)
        message.ack()
        queue.queue.delete() if given["transport"] == "pyamqp" else None
        print(message.payload)
except (kombu.exceptions.OperationalError, *connection.connection_errors, *connection.channel_errors) as error:
    print("refused:", type(error).__name__)
"""


@pytest.fixture(scope="module")
def server() -> Host:
    return testinfra.get_host("ssh://mn01d", ssh_config=str(CLUSTER.settings.ssh_config), sudo=True)


def ssh(host: str, command: str, stdin: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a host and hand it the secret on standard input: sudo writes arguments into the journal."""
    argv = ["ssh", "-F", str(CLUSTER.settings.ssh_config), host, command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def use(
    password: str, user: str = "airflow", vhost: str = "airflow", port: int = 5672, transport: str = "pyamqp"
) -> str:
    """Send a message from dn01d and receive it; the answer is the message or the refusal."""
    given = {"userid": user, "password": password, "virtual_host": vhost, "port": port, "transport": transport}
    done = ssh("dn01d", f"python3 -c {shlex.quote(LOGIN)}", json.dumps(given))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def listeners(server: Host) -> set[str]:
    """Return the addresses on which something other than sshd and the database listens."""
    return {
        line.split()[3] for line in server.check_output("ss -Hltnp").splitlines() if "beam" in line or "epmd" in line
    }


def admits_strangers(server: Host, port: int = 5672) -> bool:
    """Tell whether this machine, which reaches the host but is none of the cluster, gets through to the port."""
    try:
        socket.create_connection((server.check_output("hostname -I").split()[0], port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_account_works_from_another_host() -> None:
    assert use(PASSWORD) == "한😀"


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({"password": "wrong"}, id="wrong-password"),
        pytest.param({"password": PASSWORD, "vhost": "/"}, id="another-virtual-host"),
        pytest.param({"password": "guest", "user": "guest", "vhost": "/"}, id="guest"),
    ],
)
def test_refused(login: dict[str, str]) -> None:
    assert use(**login).startswith("refused:")  # type: ignore[arg-type]


def test_only_the_clusters_hosts_get_through(server: Host) -> None:
    assert not admits_strangers(server)
    assert server.run("timeout 5 bash -c '</dev/tcp/mn01d/5672'").rc == 0


def test_only_the_listener_for_airflow_is_reachable(server: Host) -> None:
    assert listeners(server) == {"0.0.0.0:5672", "127.0.0.1:25672", "127.0.0.1:4369"}


def test_account_is_the_only_one_and_no_admin(server: Host) -> None:
    users = json.loads(server.check_output("rabbitmqctl -q list_users --formatter json </dev/null"))
    assert users == [{"user": "airflow", "tags": []}]
    held = json.loads(server.check_output("rabbitmqctl -q list_user_permissions airflow --formatter json </dev/null"))
    assert [entry["vhost"] for entry in held] == ["airflow"]


def test_a_long_task_keeps_its_message(server: Host) -> None:
    environment = server.check_output("rabbitmqctl -q environment --formatter json </dev/null")
    assert json.loads(environment)["rabbit"]["consumer_timeout"] == 30 * 24 * 3600 * 1000


def test_erlang_cookie_is_the_distributions(server: Host) -> None:
    cookie = server.file("/var/lib/rabbitmq/.erlang.cookie")
    assert (cookie.user, cookie.mode) == ("rabbitmq", 0o400)


def test_server_brings_its_account_and_its_rules_along(server: Host) -> None:
    server.check_output("nft delete table inet airflow_broker")
    assert admits_strangers(server)
    server.check_output("systemctl restart rabbitmq-server")
    assert not admits_strangers(server)
    assert use(PASSWORD) == "한😀"


def test_server_does_not_start_without_its_rules(server: Host) -> None:
    server.check_output("mv /etc/airflow/broker.nft /etc/airflow/broker.nft.away")
    try:
        assert server.run("systemctl restart rabbitmq-server").rc != 0
    finally:
        server.check_output("mv /etc/airflow/broker.nft.away /etc/airflow/broker.nft")
        server.check_output("systemctl restart rabbitmq-server")
    assert use(PASSWORD) == "한😀"


def test_unknown_host_is_refused_by_name(server: Host) -> None:
    values = json.dumps({"broker_allowed_hosts": ["nowhere.invalid"], "broker_port": 6390})
    done = CLUSTER.playbook(PLAYBOOK, "--limit", "mn01d", "-e", values, check=False)
    assert done.returncode == 2
    assert 'cannot resolve "nowhere.invalid"' in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout


@pytest.fixture(scope="module")
def rotated(server: Host) -> Iterator[str]:
    """The broker after a run with another password, on a host that had lost its rules; all is put back in the end."""
    server.check_output("nft delete table inet airflow_broker")
    watch = "for i in $(seq 3000); do cat /proc/[0-9]*/cmdline 2>/dev/null; sleep 0.1; done"
    server.check_output(
        f"nohup timeout 300 bash -c {shlex.quote(watch)} >/root/seen-arguments 2>/dev/null & echo $! >/root/watch-pid"
    )
    try:
        values = json.dumps({"broker_password": ROTATED})
        yield CLUSTER.playbook(PLAYBOOK, "--limit", "mn01d", "-vvv", "--diff", "-e", values).stdout
    finally:
        server.check_output("kill $(cat /root/watch-pid); rm -f /root/watch-pid /root/seen-arguments")
        CLUSTER.playbook(PLAYBOOK, "--limit", "mn01d")


def test_changed_password_takes_effect(rotated: str) -> None:
    assert use(ROTATED) == "한😀"
    assert use(PASSWORD).startswith("refused:")


def test_lost_rules_are_back(rotated: str, server: Host) -> None:
    assert not admits_strangers(server)


def test_password_was_shown_nowhere(rotated: str, server: Host) -> None:
    assert ROTATED not in rotated
    assert json.dumps(ROTATED)[1:-1] not in rotated
    assert server.file("/root/seen-arguments").size > 0
    assert ssh("mn01d", "sudo grep -qaF -f - /root/seen-arguments", ROTATED).returncode == 1
    assert ssh("mn01d", "sudo grep -rlsF -f - /etc /var/lib/rabbitmq /var/log /tmp /root /home", ROTATED).stdout == ""


def set_up_redis(**changes: object) -> str:
    """Run the role for Redis on another port and return its output."""
    values = {"broker_kind": "redis", "broker_port": 6390, "broker_vhost": "3", "broker_password": ROTATED, **changes}
    values["broker_allowed_hosts"] = ["mn01d", CLUSTER.ssh("dn01d", "hostname -I").stdout.strip() + "/32"]
    return CLUSTER.playbook(PLAYBOOK, "--limit", "mn01d", "-e", json.dumps(values)).stdout


@pytest.fixture(scope="module")
def redis(server: Host, rotated: str) -> Iterator[Host]:
    """The same host with Redis as its broker, on another port; ``rotated``, which ends later, puts RabbitMQ back."""
    set_up_redis()
    assert "changed=0" in set_up_redis()
    yield server
    server.check_output("systemctl disable --now redis-server")


def test_redis_takes_the_account_only(redis: Host) -> None:
    assert use(ROTATED, vhost="3", port=6390, transport="redis") == "한😀"
    assert use("wrong", vhost="3", port=6390, transport="redis").startswith("refused:")
    assert "NOAUTH" in redis.check_output("redis-cli -p 6390 ping")


def test_redis_takes_the_password_before_as_long_as_wanted(redis: Host) -> None:
    login = partial(use, vhost="3", port=6390, transport="redis")
    process = redis.check_output("systemctl show -P MainPID redis-server")
    set_up_redis(broker_password=PASSWORD, broker_keep_old_password=True)
    assert [login(password) for password in (PASSWORD, ROTATED)] == ["한😀", "한😀"]
    assert "changed=0" in set_up_redis(broker_password=PASSWORD, broker_keep_old_password="true")
    set_up_redis(broker_keep_old_password="false")
    assert login(ROTATED) == "한😀"
    assert login(PASSWORD).startswith("refused:")
    assert redis.check_output("systemctl show -P MainPID redis-server") == process
    redis.check_output("systemctl restart redis-server")
    assert login(ROTATED) == "한😀"


def test_redis_lets_root_alone_change_accounts(redis: Host) -> None:
    file = redis.file("/etc/airflow/redis-root")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    command = "read -r REDISCLI_AUTH </etc/airflow/redis-root; export REDISCLI_AUTH; redis-cli -p 6390 --user _root "
    assert "NOPERM" in redis.check_output(f"{command} get x 2>&1")
    assert "NOPERM" in redis.check_output(f"{command} acl list 2>&1")


def test_redis_forgets_an_account_that_is_not_its_own(redis: Host) -> None:
    redis.check_output(
        "echo 'user stranger on nopass ~* +@all' >>/etc/redis/airflow.acl; systemctl restart redis-server"
    )
    set_up_redis()
    assert "stranger" not in redis.check_output("cat /etc/redis/airflow.acl")
    assert redis.run("redis-cli -p 6390 --user stranger --pass x ping").stdout.strip() != "PONG"


def test_redis_is_for_the_clusters_hosts_only(redis: Host) -> None:
    assert not admits_strangers(redis, port=6390)
    redis.check_output("nft delete table inet airflow_broker")
    assert admits_strangers(redis, port=6390)
    redis.check_output("systemctl restart redis-server")
    assert not admits_strangers(redis, port=6390)


def test_redis_keeps_what_it_holds_and_its_secret(redis: Host) -> None:
    for name in ("airflow.conf", "airflow.acl"):
        file = redis.file(f"/etc/redis/{name}")
        assert (file.user, file.group, file.mode) == ("root", "redis", 0o640)
    assert redis.file("/var/lib/redis/appendonlydir").is_directory
    assert ssh("mn01d", "sudo grep -rlsF -f - /etc /var/lib/redis /var/log /tmp /root /home", ROTATED).stdout == ""
