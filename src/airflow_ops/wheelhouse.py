"""Build the wheelhouse: every package of the hosts' Airflow as a wheel, with hashes, and the uv that installs it.

Hosts have neither internet nor a compiler, so the controller makes the wheels and brings them. The folder is named by
a key over what made it (lock, extra packages, Python and machine), appears complete or not at all, and is checked each
time it is used, so that a stale or damaged one is never brought to a host.

    python -m airflow_ops.wheelhouse build --lock roles/airflow_install/files/airflow-2.11.2.txt

`build` makes it when it is missing, `find` only looks for it (in a bundle), `key` only tells its name. The result is
JSON on standard output: key, path, platform, and whether it was built; progress and errors go to standard error.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_CACHE = Path.home() / ".cache" / "airflow-ops" / "wheelhouse"
SOURCES = ("wheelhouse", "index")

# What compiling mysqlclient takes: the packages' names on Debian and on Red Hat.
BUILD_PACKAGES = {
    "compiler": ("gcc", "gcc"),
    "pkg-config": ("pkg-config", "pkgconf-pkg-config"),
    "client library": ("libmariadb-dev", "mariadb-connector-c-devel"),
    "headers": ("python3-dev", "python3-devel"),
    "venv": ("python3-venv", "python3"),
}

# Runs in the hosts' kind of Python, hence a text: tag, machine, and where its headers would be.
_DESCRIBE = """
import importlib.util, json, os, sys, sysconfig
print(json.dumps({
    "platform": "cp%d%d-%s" % (*sys.version_info[:2], sysconfig.get_platform().replace("-", "_").replace(".", "_")),
    "headers": os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")),
    "venv": importlib.util.find_spec("ensurepip") is not None,
}))
"""


class WheelhouseError(Exception):
    """The wheelhouse cannot be made; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Python:
    """The Python that makes the wheels: its path, and the platform (like cp311-linux_x86_64) it makes them for."""

    path: Path
    platform: str
    headers: bool
    venv: bool


@dataclass(frozen=True)
class Order:
    """What a wheelhouse is made of.

    lock: text of the lock file with hashes; extra: the site's own pinned requirements;
    source: wheelhouse (wheels inside) or index (lock and uv only, hosts fetch the packages themselves).
    """

    lock: str
    platform: str
    extra: tuple[str, ...] = field(default=())
    source: str = "wheelhouse"

    @property
    def key(self) -> str:
        """The first 12 hex digits of the digest over everything that decides the installed packages."""
        parts = [self.lock, self.platform, *sorted(self.extra)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def folder(self) -> str:
        """The name of the folder in the cache."""
        return self.key if self.source == "wheelhouse" else f"{self.key}-{self.source}"


def normalized(name: str) -> str:
    """The one spelling of a package's name: `Flask_AppBuilder` is `flask-appbuilder`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_lock(text: str) -> dict[str, str]:
    """Split a lock file into its entries: package name -> lines of the entry (pin, marker and hashes)."""
    entries: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)==", line):
            name = normalized(match[1])
        if name and not line.lstrip().startswith("#"):
            entries[name] = entries.get(name, "") + line + "\n"
    return entries


def extra_names(extra: Sequence[str]) -> dict[str, str]:
    """Return name -> requirement of the site's extra packages; each must be pinned as `name==version`."""
    names: dict[str, str] = {}
    for requirement in extra:
        match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.+!_-]+", requirement)
        if match is None:
            raise WheelhouseError(
                f"Extra package '{requirement}' is not pinned; "
                "write it as name==version in airflow_install_extra_packages."
            )
        names[normalized(match[1])] = requirement
    return names


def merge_extra(base: Mapping[str, str], resolved: Mapping[str, str], extra: Sequence[str]) -> str:
    """Return the lock with the extra packages in it.

    What the extra packages bring must be pinned by the site too: the key then says everything, and two controllers
    can never make different environments under one name.
    """
    named = extra_names(extra)
    added = {name: entry for name, entry in resolved.items() if name not in base}
    if missing := sorted(entry.split()[0] for name, entry in added.items() if name not in named):
        raise WheelhouseError(
            f"The extra packages bring others that are not pinned; add {', '.join(missing)} "
            "to airflow_install_extra_packages."
        )
    return "".join({**base, **added}[name] for name in sorted({**base, **added}))


def wheel_requirements(wheels: Mapping[str, str]) -> str:
    """Return the requirements file of a folder of wheels: file name -> SHA-256 in, one pinned line each out."""
    lines = []
    for file_name, digest in wheels.items():
        name, version = file_name.split("-")[:2]
        lines.append(f"{normalized(name)}=={version} --hash=sha256:{digest}\n")
    return "".join(sorted(lines))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(folder: Path) -> str:
    """The text of SHA256SUMS: all other files below the folder, in the format of sha256sum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    return "".join(f"{sha256_of(path)}  {path.relative_to(folder)}\n" for path in files)


def is_intact(folder: Path) -> bool:
    """Whether the folder holds exactly the files that its SHA256SUMS names, unchanged."""
    sums = folder / "SHA256SUMS"
    return sums.is_file() and sums.read_text() == checksums(folder)


def missing_packages(found: Mapping[str, bool], red_hat: bool) -> list[str]:
    """The names of the distribution's packages that building needs and that are missing."""
    return [BUILD_PACKAGES[tool][int(red_hat)] for tool, there in found.items() if not there]


def describe_python(path: Path) -> Python:
    """Ask a Python for its platform and for what building with it needs."""
    try:
        answer = subprocess.run([path, "-c", _DESCRIBE], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise WheelhouseError(f"{path} does not run as Python ({error}); name another one with --python.") from error
    return Python(path=path, **json.loads(answer))


def check_tools(python: Python) -> None:
    """Refuse to start when the build would fail for want of a package of the distribution."""
    pkg_config = shutil.which("pkg-config")
    library = pkg_config and subprocess.run([pkg_config, "--exists", "libmariadb"], check=False).returncode == 0
    found = {
        "compiler": shutil.which("gcc") is not None,
        "pkg-config": pkg_config is not None,
        "client library": bool(library) or pkg_config is None,
        "headers": python.headers,
        "venv": python.venv,
    }
    red_hat = shutil.which("dnf") is not None
    if missing := missing_packages(found, red_hat):
        installer = "dnf install" if red_hat else "apt-get install"
        raise WheelhouseError(
            f"The wheelhouse cannot be built without {', '.join(missing)} "
            f"on this machine; run: {installer} {' '.join(missing)}"
        )


def find_uv() -> Path:
    """The uv of the controller's environment; hosts get this very file."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise WheelhouseError(f"{uv} is missing; run `make setup` to make the controller's environment.")
    return uv


def run_logged(command: Sequence[str | Path], log: Path, total: int = 0) -> None:
    """Run a command, its output to the log; with a total, count the wheels it reports on standard error."""
    done = 0
    with (
        log.open("a") as stream,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        for line in process.stdout or ():
            stream.write(line)
            done += line.lstrip().startswith(("Saved ", "Stored in directory"))
            if total and line.lstrip().startswith("Saved ") and done % 20 == 0:
                say(f"{done} of {total} wheels")
    if process.returncode:
        lines = [line.strip() for line in log.read_text().splitlines()[-30:]]
        first = next((number for number, line in enumerate(lines) if "error" in line.lower()), 0)
        reason = " ".join(lines[first:])[:500]
        raise WheelhouseError(f"{Path(command[0]).name} failed: {reason}; the whole output is in {log}.")


def say(text: str) -> None:
    """Show progress on standard error; standard output is for the result."""
    print(f"wheelhouse: {text}", file=sys.stderr, flush=True)


def resolve(order: Order, python: Path, work: Path, log: Path) -> str:
    """Return the lock with the extra packages; without any, the lock itself and no network."""
    if not order.extra:
        return order.lock
    extra_names(order.extra)
    (work / "base.txt").write_text(order.lock)
    (work / "extra.in").write_text("\n".join(order.extra) + "\n")
    output = work / "extra.txt"
    quiet = ["--no-emit-index-url", "--no-header", "--no-annotate", "--generate-hashes", "--quiet"]
    say("resolving the extra packages")
    run_logged(
        [find_uv(), "pip", "compile", work / "extra.in", "--constraints", work / "base.txt",
         "--python", python, "--output-file", output, *quiet],
        log,
    )  # fmt: skip
    return merge_extra(parse_lock(order.lock), parse_lock(output.read_text()), order.extra)


def build_wheels(lock: str, python: Path, wheels: Path, work: Path, log: Path) -> None:
    """Fetch or compile every package of the lock as a wheel; what compiles them comes from the lock as well."""
    entries = parse_lock(lock)
    (work / "setuptools.txt").write_text(entries.get("setuptools", ""))
    (work / "lock.txt").write_text(lock)
    say(f"fetching {len(entries)} packages (log: {log})")
    run_logged([python, "-m", "venv", work / "venv"], log)
    pip: list[str | Path] = [work / "venv/bin/python", "-m", "pip"]
    run_logged([*pip, "install", "--require-hashes", "-r", work / "setuptools.txt"], log)
    run_logged(
        [*pip, "wheel", "--require-hashes", "--no-deps", "--no-build-isolation", "--use-pep517",
         "--wheel-dir", wheels, "-r", work / "lock.txt"],
        log,
        total=len(entries),
    )  # fmt: skip


def fill(folder: Path, order: Order, python: Python, log: Path) -> None:
    """Write the complete content of a wheelhouse into an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        lock = resolve(order, python.path, work, log)
        requirements = lock
        if order.source == "wheelhouse":
            wheels = folder / "wheels"
            build_wheels(lock, python.path, wheels, work, log)
            requirements = wheel_requirements({path.name: sha256_of(path) for path in wheels.iterdir()})
    (folder / "requirements.txt").write_text(requirements)
    (folder / "lock.txt").write_text(lock)
    (folder / "platform.txt").write_text(order.platform + "\n")
    shutil.copy2(find_uv(), folder / "uv")
    (folder / "SHA256SUMS").write_text(checksums(folder))
    folder.chmod(0o755)


@contextmanager
def only_builder(cache: Path) -> Iterator[None]:
    """Let one builder work at a time, and clear away what an interrupted one left."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        for left_over in cache.glob(".building-*"):
            shutil.rmtree(left_over)
        yield


def build(order: Order, python: Python, cache: Path) -> bool:
    """Make the wheelhouse of an order in the cache if an intact one is not there; return whether it was made."""
    target = cache / order.folder
    with only_builder(cache):
        if is_intact(target):
            return False
        if order.source == "wheelhouse":
            check_tools(python)
        shutil.rmtree(target, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=".building-", dir=cache))
        log = cache / f"{order.folder}.log"
        log.write_text("")
        fill(folder, order, python, log)
        folder.rename(target)
    say(f"ready: {target}")
    return True


def find(order: Order, cache: Path) -> None:
    """Refuse when the cache (of a bundle) has no intact wheelhouse for the order."""
    if not is_intact(cache / order.folder):
        packages = ", ".join(order.extra) or "none"
        raise WheelhouseError(
            f"{cache} holds no intact wheelhouse {order.folder} (for {order.platform}, extra packages: {packages}); "
            "make the bundle again with `make bundle` (EXTRA=... names extra packages) on the same kind of machine."
        )


def parser() -> argparse.ArgumentParser:
    """The command line of this module."""
    made = argparse.ArgumentParser(prog="python -m airflow_ops.wheelhouse", description="Build the hosts' wheelhouse.")
    made.add_argument("action", choices=["build", "find", "key"], help="make it if missing; demand it; tell its name")
    made.add_argument("--lock", type=Path, required=True, help="lock file with hashes")
    made.add_argument("--extra", action="append", default=[], metavar="NAME==VERSION", help="extra package of the site")
    made.add_argument("--python", type=Path, default=Path("/usr/bin/python3"), help="Python like that of the hosts")
    made.add_argument("--source", choices=SOURCES, default="wheelhouse", help="index: no wheels, hosts fetch them")
    made.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of all wheelhouses (%(default)s)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; print the result as JSON; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        extra_names(options.extra)
        python = describe_python(options.python)
        order = Order(options.lock.read_text(), python.platform, tuple(options.extra), options.source)
        if options.action == "find":
            find(order, options.cache)
        made = options.action == "build" and build(order, python, options.cache)
    except (WheelhouseError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    path = options.cache / order.folder
    print(json.dumps({"key": order.key, "path": str(path), "platform": python.platform, "built": made}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
