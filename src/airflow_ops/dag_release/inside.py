"""What runs inside the host's Airflow: load a tree as the scheduler would and say what came of it.

Sent as text to the Python of that Airflow; imports nothing of this package. The controller uses
`reachable`, too.
"""

from __future__ import annotations

import ast
import faulthandler
import hashlib
import json
import os
import re
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

STDERR = 2
PLUGINS = ".neighbours/plugins"  # in a tree
Reads = dict[str, set[str]]  # what a file asks of the database, or of what is withheld, by its path in the tree


def relative(text: str, tree: str) -> str:
    """Return a text without the path of the tree, which differs between releases."""
    return text.replace(f"{tree}/", "").replace(tree, "")


def reachable(starts: Iterable[str], sources: Mapping[str, Callable[[], bytes]]) -> set[str]:
    """Return files and the modules of their tree that they import, also through each other and within functions.

    :param sources: what reads a Python file of the tree, by its path in it.
    """
    found: set[str] = set()
    todo = [name for name in starts if name in sources]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [path for path in imported(name, sources[name]()) if path in sources]
    return found


def imported(name: str, source: bytes) -> set[str]:
    """Return where the modules may lie that a file imports: below the tree's root, or beside it where it says so."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    package = name.split("/")[:-1]
    roots = [[], package] if b"sys.path" in source else [[]]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {path for root in roots for alias in node.names for path in module_paths(root, alias.name)}
        elif isinstance(node, ast.ImportFrom):
            above = [package[: max(len(package) - node.level + 1, 0)]] if node.level else roots
            dotted = [f"{node.module or ''}.{alias.name}" for alias in node.names]
            found |= {path for root in above for one in dotted for path in module_paths(root, one)}
    return found


def module_paths(root: list[str], dotted: str) -> list[str]:
    """Return the files that importing a name may run: those of the packages above it, too."""
    parts = [*root, *filter(None, dotted.split("."))]
    paths = ["/".join(parts[: depth + 1]) for depth in range(len(root), len(parts))]
    return [f"{path}{end}" for path in paths for end in (".py", "/__init__.py")]


def python_files(tree: str) -> dict[str, Callable[[], bytes]]:
    """Return what reads the Python files of a tree, by their path in it."""
    return {relative(str(path), tree): path.read_bytes for path in sorted(Path(tree).rglob("*.py")) if path.is_file()}


def not_compiled(sources: Mapping[str, Callable[[], bytes]], listed: Iterable[str]) -> dict[str, str]:
    """Return the modules that do not compile with this Python, with the reason, among those that DAG files import."""
    found = {}
    for name in sources.keys() - set(listed):
        try:
            compile(sources[name](), name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            found[name] = f'File "{name}", line {getattr(error, "lineno", 1)}\n{type(error).__name__}: {error}'
    used = reachable(listed, sources) if found else set()
    return {name: text for name, text in found.items() if name in used}


def fingerprint(dag: Any, tree: str) -> str:
    """Return a hash of what the scheduler would store of a DAG, whatever folder the tree lies in."""
    from airflow.serialization.serialized_objects import SerializedDAG  # noqa: PLC0415

    content = SerializedDAG.to_dict(dag)
    content["dag"].pop("fileloc", None)
    content["dag"].pop("_processor_dags_folder", None)
    text = relative(json.dumps(content, sort_keys=True, default=str), tree)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def queues(bag: Any) -> dict[str, dict[str, list[str]]]:
    """Return the queues of the tasks by DAG, each with its tasks; without those that no worker ever gets."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, dag in bag.dags.items():
        for task in dag.tasks:
            hooks = (getattr(task, hook, None) for hook in ("on_execute_callback", "on_success_callback", "outlets"))
            if not getattr(task, "inherits_from_empty_operator", False) or any(hooks):
                found.setdefault(name, {}).setdefault(task.queue, []).append(task.task_id)
    return found


class Noted:
    """What files of a tree ask of a database in which nothing is, and of what is withheld.

    A read counts for every file that has a part in it: the DAG, and the module in which it stands.
    """

    def __init__(self, tree: str) -> None:
        self.tree, self.reads, self.quiet = tree, Reads(), False

    def note(self, what: str) -> None:
        frame = None if self.quiet else sys._getframe(1)
        while frame := frame and frame.f_back:
            if frame.f_code.co_filename.startswith(f"{self.tree}/"):
                self.reads.setdefault(relative(frame.f_code.co_filename, self.tree), set()).add(what)

    def look_up(self, get: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Ask Airflow for something; what that asks in turn is not noted."""
        before, self.quiet = self.quiet, True
        try:
            return get(*args, **kwargs)
        finally:
            self.quiet = before


def note_database(noted: Noted) -> None:
    """Have noted from now on what is asked of the metadata database."""
    from airflow.models import Connection, Variable  # noqa: PLC0415
    from sqlalchemy import event  # noqa: PLC0415
    from sqlalchemy.engine import Engine  # noqa: PLC0415

    get_variable, get_connection = Variable.get_variable_from_secrets, Connection.get_connection_from_secrets

    def variable(key: str) -> str | None:
        value: str | None = noted.look_up(get_variable, key)
        if value is None:
            noted.note(f"Variable {key}")
        return value

    def connection(conn_id: str) -> Any:
        try:
            return noted.look_up(get_connection, conn_id)
        except Exception:
            noted.note(f"Connection {conn_id}")
            raise

    def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if table := re.search(r"\b(?:FROM|INTO|UPDATE)\s+\W?(\w+)", text, re.IGNORECASE):
            noted.note(f"table {table[1]}")

    Variable.get_variable_from_secrets = staticmethod(variable)
    Connection.get_connection_from_secrets = staticmethod(connection)
    event.listen(Engine, "before_cursor_execute", statement)


def note_withheld(noted: Noted, names: Collection[str]) -> None:
    """Have noted from now on what is asked of the variables that this process lacks.

    :param names: of these variables; an option of airflow.cfg by that of the variable that would stand for it.
    """
    from airflow.configuration import AirflowConfigParser  # noqa: PLC0415
    from airflow.exceptions import AirflowConfigException  # noqa: PLC0415

    environ: Any = type(os.environ)
    get_item, get_option = environ.__getitem__, AirflowConfigParser.get

    def item(self: Any, key: str) -> Any:
        try:
            return get_item(self, key)
        except KeyError:
            if key in names:
                noted.note(f"the variable {key}")
            raise

    def option(self: Any, section: str, key: str, *args: Any, _extra_stacklevel: int = 0, **more: Any) -> Any:
        try:
            return noted.look_up(get_option, self, section, key, *args, _extra_stacklevel=_extra_stacklevel + 2, **more)
        except AirflowConfigException:
            name = f"AIRFLOW__{section}__{key}".upper()
            if {name, f"{name}_CMD", f"{name}_SECRET"}.intersection(names):
                noted.note(f"the option {key} of [{section}]")
            raise

    environ.__getitem__, AirflowConfigParser.get = item, option


def asked(file: str, reads: Reads, sources: Mapping[str, Callable[[], bytes]]) -> list[str]:
    """Return what a file asked of the database, itself or in a module that it imports and another file had loaded."""
    archive = file.partition(".zip/")[0] + ".zip/"
    own = reachable([file], sources) | {file} | {name for name in reads if name.startswith(archive)}
    return sorted({what for name in own for what in reads.get(name, ())})


def listed(tree: str, safe: bool) -> list[str]:
    """Return the files of a tree that Airflow loads, without archives that it cannot even open and passes over."""
    from airflow.utils.file import list_py_file_paths  # noqa: PLC0415

    paths = sorted(list_py_file_paths(tree, safe_mode=safe, include_examples=False))
    return [path for path in paths if path.endswith(".py") or opens(path)]


def opens(path: str) -> bool:
    """Say whether an archive has a list of its files."""
    try:
        zipfile.ZipFile(path).close()
    except (zipfile.BadZipFile, OSError):
        return False
    return True


def load(bag: Any, paths: list[str], request: dict[str, Any]) -> dict[str, str]:
    """Fill Airflow's bag from files one after the other; return why those failed that Airflow itself says nothing of.

    What ends this process, or does not come to an end, is told by the file in `at`.
    """
    from airflow.configuration import conf  # noqa: PLC0415

    tree, at, roots = request["tree"], Path(request["at"]), [*sys.path]
    errors: dict[str, str] = {}
    safe, limit = conf.getboolean("core", "dag_discovery_safe_mode"), conf.getint("core", "dag_file_processor_timeout")

    def process(path: str) -> str:
        faulthandler.dump_traceback_later(limit, exit=True, file=STDERR)
        try:
            bag.process_file(path, only_if_updated=False, safe_mode=safe)
        except BaseException as error:  # sys.exit too, by which Airflow loses the file without a word
            ends = "" if isinstance(error, Exception) else ": it ends Airflow's process while it is loaded"
            return f"{''.join(traceback.format_exception(error)).strip()}{ends}"
        return ""

    for path in paths:
        name = relative(path, tree)
        if name in request["skip"]:
            continue
        at.write_text(name, encoding="utf-8", errors="surrogateescape")
        alone = not path.endswith(".py") or b"sys.path" in Path(path).read_bytes()
        if alone:
            start_anew(tree, roots)
        error = process(path)
        if not alone and "AirflowTaskTimeout" not in bag.import_errors.get(path, "AirflowTaskTimeout"):
            start_anew(tree, roots)  # it may fail for what another file has loaded or changed
            del bag.import_errors[path]
            error = process(path)
        errors |= {name: error} if error else {}
        if alone or sys.path != roots:
            start_anew(tree, roots)
    faulthandler.cancel_dump_traceback_later()
    at.unlink(missing_ok=True)
    return errors


def start_anew(tree: str, roots: list[str]) -> None:
    """Forget the modules of a tree, but for its plugins, and where else a file has looked for modules.

    Airflow loads each file in a process of its own. Here files share the modules that they import, for a tree of
    hundreds would take several times as long, unless they look for them in folders of their own.
    """
    sys.path[:] = roots
    for name, module in [*sys.modules.items()]:
        own = getattr(module, "__dict__", {})  # asked for nothing: some load more then
        file = own.get("__file__") or next(iter(own.get("__path__") or ()), "")
        if file.startswith(f"{tree}/") and not file.startswith(f"{tree}/{PLUGINS}/"):
            del sys.modules[name]


def plugin_errors(request: dict[str, Any]) -> dict[str, str]:
    """Load the plugins of a tree, as every service does when it starts; return why some failed."""
    from airflow import plugins_manager  # noqa: PLC0415

    folder, at = f"{request['tree']}/{PLUGINS}", Path(request["at"])
    if PLUGINS in request["skip"] or not Path(folder).is_dir():
        return {}
    at.write_text(PLUGINS, encoding="utf-8")
    errors = {}
    try:
        plugins_manager.ensure_plugins_loaded()
    except RuntimeError as error:  # links by which it comes to a folder twice
        errors[folder] = f"RuntimeError: {error}"
    except SystemExit as error:
        frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        ends = "it ends Airflow's process while it is loaded"
        errors[next((name for name in reversed(frames) if name.startswith(folder)), folder)] = ends
    at.unlink()
    found = {path: text for path, text in plugins_manager.import_errors.items() if path.startswith(folder)}
    return {
        relative(path, request["tree"]): relative(text, request["tree"]) for path, text in {**found, **errors}.items()
    }


def known_errors(tree: str) -> list[str]:
    """Return the files in which the scheduler found an error before, as its database tells."""
    from airflow.models.errors import ParseImportError  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        return [relative(str(name), tree) for (name,) in session.query(ParseImportError.filename)]


def let_know(bag: Any) -> None:
    """Write the DAGs into the database as the scheduler does, which may be doing the same in this moment."""
    from sqlalchemy.exc import IntegrityError  # noqa: PLC0415

    for _ in range(3):
        try:
            bag.sync_to_db()
        except IntegrityError:
            continue
        return


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Load the tree; online, also let the scheduler know the DAGs at once instead of when it lists the folder next.

    :param request: `tree`; `offline`, the database is an empty one; `withheld`, the names of variables that are lacking
        then; `compile`, also modules that DAG files import only later must compile; `at`, the file that says which one
        is being loaded; `skip`, files that ended it before.
    """
    from airflow.configuration import conf  # noqa: PLC0415
    from airflow.models.dagbag import DagBag  # noqa: PLC0415

    begin, tree = time.monotonic(), request["tree"]
    bag = DagBag(tree, include_examples=False, collect_dags=False)
    noted = Noted(tree)
    if request["offline"]:
        note_database(noted)
        note_withheld(noted, request["withheld"])
    try:
        paths = listed(tree, conf.getboolean("core", "dag_discovery_safe_mode"))
    except RuntimeError as error:  # links that loop
        return {"dags": {}, "errors": {"the tree": relative(str(error), tree)}, "known": [], "seconds": 0}
    errors = plugin_errors(request) if request["offline"] else {}
    failed = load(bag, paths, request)
    errors |= {relative(path, tree): relative(text, tree) for path, text in {**bag.import_errors, **failed}.items()}
    dags: dict[str, dict[str, str]] = {}
    for name, dag in bag.dags.items():
        file = relative(dag.fileloc, tree)
        try:
            dags[name] = {"file": file, "hash": fingerprint(dag, tree)}
        except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
            errors[file] = f"{type(error).__name__}: {name} cannot be serialized: {error}"
    answer: dict[str, Any] = {"dags": dags, "errors": errors, "known": []}
    if request["offline"]:
        sources = python_files(tree)
        found = not_compiled(sources, [relative(path, tree) for path in paths]) if request["compile"] else {}
        answer["errors"] = {**found, **errors}
        answer["queues"] = queues(bag)
        answer["reads"] = {file: what for file in errors if (what := asked(file, noted.reads, sources))}
        warned = {text for texts in bag.captured_warnings.values() for text in texts}
        answer["warnings"] = sorted(relative(text, tree) for text in warned if not text.startswith(f"{sys.prefix}/"))
    else:
        answer["known"] = known_errors(tree)
        let_know(bag)
    answer["seconds"] = time.monotonic() - begin
    return answer


if __name__ == "__main__":
    faulthandler.enable(file=STDERR)
    order = json.loads(sys.argv[1])
    temporary = Path(f"{order['answer']}.tmp")
    temporary.write_text(json.dumps(main(order)), encoding="utf-8")
    temporary.rename(order["answer"])
    os._exit(0)  # threads that a DAG has left running would keep the process
