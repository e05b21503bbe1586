"""Rules on single values of an inventory: versions, paths, names, keys and ports."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from airflow_ops.inventory_model import Environment, Host, is_true, waits

PATH = re.compile(r"/[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*")
COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
HOSTNAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
# Digits and dots alone are an address, and one that does not exist is no name either.
HOST_OR_ADDRESS = re.compile(rf"(?![\d.]+$){HOSTNAME.pattern}|{OCTET}(\.{OCTET}){{3}}|(?=.*:)[0-9a-fA-F:.]{{2,45}}")

PATHS = (
    "airflow_stack_root",
    "airflow_home",
    "airflow_dags_folder",
    "airflow_log_folder",
    "airflow_environment_file",
    "airflow_python",
)
OCTAL = re.compile(r"0[0-7]{3}")
OCTAL_RULE = "four octal digits in quotes, as '0640'"
ACCOUNT_RULE = "an account name (a letter or _, then letters, digits, _ . -, at most 32)"
DATABASE_ACCOUNT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
DATABASE_ACCOUNT_RULE = "a database account (letters, digits, _ . -)"
OWN_VARIABLES = frozenset({"AIRFLOW_HOME", "PATH", "TMPDIR"})
BATCH = re.compile(r"0*[1-9]\d*|0*([1-9]\d?|100)%")
NAMES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("airflow_environment", COMPONENT, "a group name (letters, digits, . _ + -)"),
    ("airflow_stack_version", COMPONENT, "one path component (letters, digits, . _ + -)"),
    ("airflow_user", ACCOUNT, ACCOUNT_RULE),
    ("airflow_group", ACCOUNT, ACCOUNT_RULE),
    ("airflow_admin_user", ACCOUNT, ACCOUNT_RULE),
    ("airflow_run_as_users", re.compile(r"[a-z_][a-z0-9_.-]{0,31}"), "an account name (small letters, digits, _ . -)"),
    ("airflow_worker_queues", re.compile(r"[A-Za-z0-9_.-]{1,256}"), "a queue name (letters, digits, _ . -)"),
    # Without quotes YAML makes the number 416 of 0640, and 416 is another mode.
    ("dag_release_file_mode", OCTAL, OCTAL_RULE),
    ("dag_release_folder_mode", OCTAL, OCTAL_RULE),
    ("metadata_db_name", re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}"), "a database name (letters, digits, _, at most 64)"),
    ("metadata_db_user", DATABASE_ACCOUNT, DATABASE_ACCOUNT_RULE),
    ("metadata_db_host", HOST_OR_ADDRESS, "a host name or an address"),
    ("broker_host", HOST_OR_ADDRESS, "a host name or an address"),
    ("broker_user", re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}"), "a broker account (letters, digits, _ . -)"),
)
BROKERS = {
    "rabbitmq": (re.compile(r"[A-Za-z0-9_./-]{1,128}"), "a RabbitMQ vhost (letters, digits, _ . / -)"),
    "redis": (re.compile(r"[0-9]|1[0-5]"), "the number of a Redis database (0 to 15)"),
}
# Every Ambari pack for Airflow ships these, so everybody knows them.
PUBLIC_KEYS = frozenset({"mMGXRdfFpdUZDYmt8Ur1xVmspyOkYKtBlkv91dB8SVs=", "temporary_key"})


def version(environment: Environment) -> Iterator[str]:
    """The Airflow version is one that this repository can install, and Airflow 3 does not run on MariaDB."""
    supported = environment.inventory.versions
    for value, where in environment.values("airflow_version"):
        file = environment.file("airflow_version")
        if str(value).startswith("3"):
            yield (
                f"airflow_version is {value!r}{where}, and Airflow 3 is refused on MariaDB, because its scheduler "
                "crashes 60 seconds after every start there and the migration stops half way: "
                f"set {' or '.join(supported)} in {file}."
            )
        elif str(value) not in supported:
            yield f"airflow_version is {value!r}{where} and may be {' or '.join(supported)}: correct it in {file}."


def paths(environment: Environment) -> Iterator[str]:
    """Paths are absolute and hold nothing that a unit, a shell or sudoers reads otherwise.

    A path that nobody gave follows from others, which are told instead.
    """
    for name in (name for name in PATHS if any(name in host.given for host in environment.hosts)):
        for value, where in environment.values(name):
            if not (PATH.fullmatch(str(value)) and not {".", ".."} & set(str(value).split("/"))):
                yield (
                    f"{name} is {value!r}{where} and must be an absolute path of letters, digits and . _ + - "
                    f"without . or .. components: correct {environment.file(name)}."
                )


def names(environment: Environment) -> Iterator[str]:
    """Names hold nothing that a unit, a shell, SQL or sudoers reads otherwise."""
    for name, pattern, rule in NAMES:
        for value, where in environment.values(name):
            for item in value if isinstance(value, list) else [value]:
                if item not in (None, "") and not waits(item) and not pattern.fullmatch(str(item)):
                    yield f"{name} is {item!r}{where} and must be {rule}: correct it in {environment.file(name)}."
    for value, where in environment.values("airflow_stack_version"):
        if value in (None, ""):
            file = environment.file("airflow_stack_version")
            yield f"airflow_stack_version is empty{where} and must be one path component: set it in {file}."
    for host in environment.hosts:
        if not HOSTNAME.fullmatch(host.name):
            yield (
                f"Host {host.name!r} is no host name (letters, digits, - and dots): rename it in "
                f"{environment.hosts_file()} and {environment.topology()}."
            )


def environment_variables(environment: Environment) -> Iterator[str]:
    """What units, cron and the login shell read as their environment is read alike by all of them."""
    name = "airflow_environment_extra"
    file = environment.file(name)
    for value, where in environment.values(name):
        for variable, text in value.items() if isinstance(value, Mapping) else ():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(variable)):
                yield f"{name} has {variable!r}{where}, which names no environment variable: correct it in {file}."
            elif variable in OWN_VARIABLES:
                yield f"{name} has {variable}{where}, which the role sets itself: take it out in {file}."
            elif not waits(text) and re.search(r"['\n]", str(text)):
                yield f"{name}.{variable} holds a single quote or a line break{where}: take it out in {file}."


def batches(environment: Environment) -> Iterator[str]:
    """Workers restart in batches of a number or a percentage of hosts."""
    name = "airflow_services_worker_batch"
    for value, where in environment.values(name):
        if not BATCH.fullmatch(str(value)):
            rule = "a number of hosts from 1 or a percentage from 1% to 100%"
            yield f"{name} is {value!r}{where} and must be {rule}: correct it in {environment.file(name)}."


def fernet_key(environment: Environment) -> Iterator[str]:
    """The Fernet key, or each key of a rotation, is 32 bytes in URL-safe base64; its value is never shown."""
    name = "airflow_config_fernet_key"
    file = environment.file(name)
    for value, where in environment.values(name):
        for key in str(value or "").split(",") if value else ():
            fault = fernet_fault(key)
            if fault:
                yield (
                    f"{name} is no Fernet key{where}, {fault}: put 32 random bytes in URL-safe base64 "
                    f"(44 characters) in {file}."
                )
    for name in ("airflow_config_fernet_key", "airflow_config_secret_key"):
        for value, where in environment.values(name):
            if str(value) in PUBLIC_KEYS:
                yield f"{name} is a key that Ambari packs publish as their default{where}: put your own in {file}."


def fernet_fault(key: str) -> str:
    """Return what is wrong with the shape of a Fernet key, or ''."""
    try:
        size = len(base64.b64decode(key.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return f"its {len(key)} characters are not URL-safe base64"
    return "" if size == 32 else f"its {len(key)} characters stand for {size} bytes"


def broker(environment: Environment) -> Iterator[str]:
    """The broker is one that the role knows, and its vhost has the form of that broker."""
    for kind, where in environment.values("broker_kind"):
        if kind in (None, ""):
            continue
        if str(kind) not in BROKERS:
            file = environment.file("broker_kind")
            yield f"broker_kind is {kind!r}{where} and may be {' or '.join(BROKERS)}: correct it in {file}."
            continue
        pattern, rule = BROKERS[str(kind)]
        for vhost, place in environment.values("broker_vhost"):
            if vhost not in (None, "") and not pattern.fullmatch(str(vhost)):
                file = environment.file("broker_vhost")
                yield f"broker_vhost is {vhost!r}{place} and must be {rule}: correct it in {file}."


def port_ranges(environment: Environment) -> Iterator[str]:
    """Every variable that ends in _port is a port."""
    given = [name for host in environment.hosts for name in sorted(host.given) if name.endswith("_port")]
    ports = dict.fromkeys([*given, "ansible_port"])
    for name in ports:
        for value, where in environment.values(name):
            if value not in (None, "") and _port(value) is None:
                file = environment.file(name)
                yield f"{name} is {value!r}{where} and must be a port from 1 to 65535: correct it in {file}."


def _port(value: object) -> int | None:
    number = int(str(value)) if str(value).isdecimal() else 0
    return number if 1 <= number <= 65535 else None


def duties(environment: Environment, host: Host) -> list[tuple[int, str, str]]:
    """Return what listens on a host: (port, service, variable or option that sets the port)."""
    found = []
    for group, service, port, source in (
        ("metadata_db", "MariaDB", host.variables.get("metadata_db_port"), "metadata_db_port"),
        ("broker", "the broker", host.variables.get("broker_port"), "broker_port"),
        ("airflow_webserver", "the web server", *_option(host, "webserver", "web_server_port", 8080)),
        ("airflow_worker", "the worker's log server", *_option(host, "logging", "worker_log_server_port", 8793)),
        ("airflow_triggerer", "the triggerer's log server", *_option(host, "logging", "trigger_log_server_port", 8794)),
        (
            "airflow_scheduler",
            "the scheduler's health server",
            *_option(host, "scheduler", "scheduler_health_check_server_port", 8974),
        ),
    ):
        external = is_true(host.variables.get(f"{group}_external"))
        number = _port(port)
        if host.name in environment.members(group) and number and not external:
            found.append((number, service, source))
    return found


def _option(host: Host, section: str, option: str, default: int) -> tuple[object, str]:
    """Return an option of airflow.cfg as the inventory sets it, strongest layer first."""
    for layer in ("airflow_config_parameters", "airflow_config_host_settings", "airflow_config_settings"):
        settings = host.variables.get(layer)
        sections = settings if isinstance(settings, Mapping) else {}
        part = sections if layer == "airflow_config_parameters" else sections.get(section)
        if isinstance(part, Mapping) and part.get(option) is not None:
            return part[option], f"{option} of {layer}"
    return default, option


def shared_ports(environment: Environment) -> Iterator[str]:
    """No two services of one host listen on the same port."""
    for host in environment.hosts:
        listening = [(22, "sshd", "ansible_port"), *duties(environment, host)]
        for port, count in Counter(port for port, _, _ in listening).items():
            if count > 1:
                rivals = [(service, source) for number, service, source in listening if number == port]
                yield (
                    f"Port {port} is given to {' and '.join(service for service, _ in rivals)} on host {host.name}: "
                    f"change {' or '.join(source for _, source in rivals if source != 'ansible_port')} "
                    f"in inventories/{environment.name}/group_vars/{environment.name}/."
                )


VALUE_RULES: tuple[Callable[[Environment], Iterator[str]], ...] = (
    version,
    paths,
    names,
    environment_variables,
    batches,
    fernet_key,
    broker,
    port_ranges,
    shared_ports,
)
