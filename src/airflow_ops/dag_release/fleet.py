"""Work on many hosts at once from the controller: one agent behind one ssh session a host, and rsync beside it."""

from __future__ import annotations

import ast
import contextlib
import json
import marshal
import os
import select
import shlex
import signal
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import resources
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType, TracebackType
from typing import IO, Any

PARALLEL = 16  # transfers at once; more gains nothing on the few cores of a controller
CONNECT_TIMEOUT = 15  # seconds
SIGN_OF_LIFE = 10.0  # seconds between them; an agent that hears nothing for a minute gives up
ANSWER = 1800.0  # seconds after which a host that is still connected counts as lost
SWITCH = 60.0  # seconds, while the other hosts wait half way
RSYNC_SILENCE = 300  # seconds without a byte
PIPE = 65536  # bytes that a pipe holds
UNREACHABLE = 255  # exit code of ssh for its own failures
AGENT = "airflow_ops.dag_release.agent"
IN_THE_SWITCH = ("activate", "back", "commit", "behind")
# In the order in which they import each other.
MODULES = ("tree", "place", "behind", "runtime", "beside", "look", "live", "stage", "lock", "parse", "serve")
START = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"


class Unreachable(Exception):
    """A host that ssh could not reach or lost, with the reason ssh gave."""


class HostFailed(Exception):
    """A host that answered and could not do what it was asked."""


@dataclass(frozen=True)
class Host:
    """A host and how to reach it."""

    name: str
    address: str
    user: str | None = None
    port: int | None = None
    key_file: str | None = None
    ssh_options: tuple[str, ...] = ()
    python: str = "/usr/bin/python3"

    def ssh(self) -> list[str]:
        """Return the ssh command without the address; connections stay open and are shared."""
        control = Path("~/.ansible/cp").expanduser()
        command = ["ssh", "-o", f"ConnectTimeout={CONNECT_TIMEOUT}", "-o", "BatchMode=yes"]
        command += ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f"ControlPath={control}/dags-%C"]
        command += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", *self.ssh_options]
        command += ["-i", str(Path(self.key_file).expanduser())] if self.key_file else []
        command += ["-p", str(self.port)] if self.port else []
        return command + (["-l", self.user] if self.user else [])


@dataclass
class Outcome:
    """What a step returned by host, and why it failed by host."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def bad(self) -> dict[str, str]:
        return {**self.unreachable, **self.failed}

    def add(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Do some work for a host and note what came of it."""
        try:
            self.results[name] = work()
        except Unreachable as error:
            self.unreachable[name] = str(error)
        except (HostFailed, OSError) as error:
            self.failed[name] = str(error)


def last_line(text: str) -> str:
    """Return the last line of what a command said, which is where ssh, sudo and rsync put the reason."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no message")


@cache
def agent_modules() -> dict[str, str]:
    """Return the sources of the agent by module name."""
    folder = resources.files(AGENT)
    return {f"{AGENT}.{name}": folder.joinpath(f"{name}.py").read_text("utf-8") for name in MODULES}


@cache
def agent_code() -> bytes:
    """Return the agent as code for a Python like this one and as text for others, compressed.

    The code saves every host the compiling, which takes as long as all that it does for a small change. Both are
    without what only people read, which would be a third of what travels.
    """
    texts = {name: without_words(text) for name, text in agent_modules().items()}
    code = {
        name: without_lines(compile(text, name, "exec", dont_inherit=True, optimize=2)) for name, text in texts.items()
    }
    every_python_reads = 2  # version of the format
    return zlib.compress(
        marshal.dumps((MAGIC_NUMBER, marshal.dumps(code), texts), every_python_reads),
        level=9,
    )


def without_words(text: str) -> str:
    """Return a program without its documentation strings."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            own = node.body[0]
            place = slice(own.lineno - 1, own.end_lineno)
            lines[place] = ["\n"] * len(lines[place])
            lines[own.lineno - 1] = "\n" if isinstance(node, ast.Module) else f"{' ' * own.col_offset}...\n"
    return "".join(lines)


def without_lines(code: CodeType) -> CodeType:
    """Return code that does not know from which lines it was made."""
    inner = (without_lines(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=tuple(inner))


def agent_program(place: Mapping[str, Any]) -> bytes:
    """Return the program that makes a host's Python our agent: its length in a line, its text, then the modules.

    It must fit into a pipe, or starting the agents would wait for each host in turn.
    """
    modules = agent_code()
    text = f"""\
import marshal, sys, types, zlib
from importlib._bootstrap_external import MAGIC_NUMBER
magic, code, sources = marshal.loads(zlib.decompress(sys.stdin.buffer.read({len(modules)})))
codes = marshal.loads(code) if magic == MAGIC_NUMBER else sources
package = types.ModuleType({AGENT!r})
sys.modules[{AGENT!r}] = package
for name in codes:
    module = types.ModuleType(name)
    sys.modules[name] = module
    setattr(package, name.rpartition(".")[2], module)
    exec(codes[name], module.__dict__)
sys.modules["{AGENT}.serve"].main({dict(place)!r})
""".encode()
    return b"%d\n%s%s" % (len(text), text, modules)


class Session:
    """The agent of one host for the time of a run.

    It runs as the account that owns the releases, never as root: that account could put a link where root would write.
    """

    def __init__(self, host: Host, user: str, place: Mapping[str, Any]) -> None:
        self.host = host
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would stay open in ssh's master
        self._writing = threading.Lock()
        # sudo in English, as its words are read; the standard library is enough; file names in UTF-8 in every locale
        command = ["sudo", "-n", "-u", user, host.python, "-I", "-S", "-X", "utf8", "-c", START]
        remote = f"cd / && LC_ALL=C {shlex.join(command)}"
        self._process = subprocess.Popen(
            [*host.ssh(), host.address, remote], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        self._write(agent_program(place))

    def send(self, verb: str, args: Mapping[str, Any]) -> None:
        """Ask for something without waiting for the answer."""
        self._write(json.dumps({"verb": verb, "args": args}).encode() + b"\n")

    def answer(self, limit: float = ANSWER) -> dict[str, Any]:
        """Return the answer to the oldest question.

        :param limit: seconds to wait for it.
        :raises Unreachable: when the connection is lost or nothing comes in time.
        :raises HostFailed: when the host refuses or fails.
        """
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], limit)[0]:
            self._process.kill()
            raise Unreachable(f"it did not answer within {limit:.0f} s")
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            self._lost()
        try:
            result: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise HostFailed(f"it answered {line[:80]!r} and not JSON") from error
        if "error" in result:
            raise HostFailed(result["error"])
        return result

    def ask(self, verb: str, **args: Any) -> dict[str, Any]:
        """Ask and wait for the answer."""
        self.send(verb, args)
        return self.answer()

    def sign_of_life(self) -> None:
        """Let the agent know that this run goes on."""
        self._write(b"\n")

    def hang_up(self) -> None:
        """Tell the agent that this was all; it puts back what was not committed."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError), self._writing:
            self._process.stdin.close()

    def close(self) -> None:
        """Wait for the end of the agent after `hang_up`."""
        assert self._process.stdout
        output = self._process.stdout.fileno()
        while select.select([output], [], [], CONNECT_TIMEOUT)[0] and os.read(output, PIPE):
            pass  # an answer that nobody waited for; then the end, which a `wait` with a limit would poll for
        try:
            self._process.wait(CONNECT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._said.close()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError, ValueError), self._writing:  # reading the answer tells why
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _lost(self) -> None:
        code = self._process.wait()
        self._said.seek(0)
        reason = last_line(self._said.read().decode(errors="replace"))
        gone = code in (UNREACHABLE, -signal.SIGKILL)  # or given up by us, after the limit
        raise Unreachable(reason) if gone else HostFailed(reason)


class Fleet:
    """The agents of all hosts of a run. Use it in a `with` block."""

    def __init__(self, user: str, place: Mapping[str, Any]) -> None:
        self.user, self.place = user, place
        self.sessions: dict[str, Session] = {}
        self._over = threading.Event()
        self._living = threading.Thread(target=self._signs_of_life, daemon=True)

    def __enter__(self) -> Fleet:
        Path("~/.ansible/cp").expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)
        self._living.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for session in self.sessions.values():
            session.hang_up()
        for session in self.sessions.values():
            session.close()

    def open(self, hosts: Iterable[Host]) -> None:
        """Start an agent on every host; whether a host answers shows when it is asked something."""
        for host in hosts:
            if host.name not in self.sessions:
                self.sessions[host.name] = Session(host, self.user, self.place)

    def ask(self, hosts: Iterable[Host], verb: str, **args: Any) -> Outcome:
        """Ask all hosts at once the same and collect the answers; a bad host does not stop the others."""
        return self.ask_each({host.name: args for host in hosts}, verb)

    def ask_each(self, args: Mapping[str, Mapping[str, Any]], verb: str) -> Outcome:
        """Ask all hosts at once, each with its own arguments."""
        outcome = Outcome()
        for name, own in args.items():
            self.sessions[name].send(verb, own)
        limit = SWITCH if verb in IN_THE_SWITCH else ANSWER
        for name in args:
            outcome.add(name, partial(self.sessions[name].answer, limit))
        return outcome

    def _signs_of_life(self) -> None:
        while not self._over.wait(SIGN_OF_LIFE):
            for session in list(self.sessions.values()):
                session.sign_of_life()


def on_all(hosts: Iterable[Host], work: Callable[[Host], dict[str, Any]]) -> Outcome:
    """Do `work` for every host, some at a time, and collect what came of it; a bad host does not stop the others."""
    outcome = Outcome()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for host, job in [(host, pool.submit(work, host)) for host in hosts]:
            outcome.add(host.name, job.result)
    return outcome


def as_root(host: Host, argv: list[str]) -> dict[str, Any]:
    """Run a command on a host as root."""
    command = [*host.ssh(), host.address, f"cd / && {shlex.join(['sudo', '-n', *argv])}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == UNREACHABLE:
        raise Unreachable(last_line(done.stderr))
    if done.returncode:
        raise HostFailed(last_line(done.stderr))
    return {"said": done.stdout.strip()}


def push(host: Host, source: Path, names: Iterable[str], target: str, owner: tuple[str, str]) -> dict[str, Any]:
    """Copy files of the tree `source` into the folder `target` of a host, as the account and group `owner`."""
    address = f"[{host.address}]" if ":" in host.address else host.address
    remote = f"cd / && {shlex.join(['sudo', '-n', '-u', owner[0], 'rsync'])}"
    command = ["rsync", "--links", "--times", "--omit-dir-times", "--ignore-times", "--perms", f"--chown=:{owner[1]}"]
    command += [f"--timeout={RSYNC_SILENCE}", f"--rsync-path={remote}", "--rsh", shlex.join(host.ssh())]
    command += ["--files-from=-", "--from0", f"{source}/", f"{address}:{target}/"]
    listed = "".join(f"./{name}\0" for name in names)  # a bare name may begin as a comment does
    done = subprocess.run(
        command, input=listed, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode == UNREACHABLE:
        raise Unreachable(last_line(done.stderr))
    if done.returncode:
        raise HostFailed(f"rsync: {done.stderr.strip().splitlines()[0] if done.stderr.strip() else done.returncode}")
    return {}
