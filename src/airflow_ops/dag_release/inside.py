"""What runs inside the host's Airflow: load a tree as the scheduler would and say what came of it.

Sent as text to the Python of that Airflow; imports nothing of this package.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def relative(text: str, tree: str) -> str:
    """Return a text without the path of the tree, which differs between releases."""
    return text.replace(f"{tree}/", "").replace(tree, "")


def compile_all(tree: str) -> dict[str, str]:
    """Return the Python files that do not compile with this Python, with the reason."""
    found = {}
    for path in sorted(Path(tree).rglob("*.py")):
        try:
            if path.is_file():
                compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            found[relative(str(path), tree)] = f"line {getattr(error, 'lineno', 1)}: {error}"
    return found


def fingerprint(dag: Any, tree: str) -> str:
    """Return a hash of what the scheduler would store of a DAG, whatever folder the tree lies in."""
    from airflow.serialization.serialized_objects import SerializedDAG  # noqa: PLC0415

    content = SerializedDAG.to_dict(dag)
    content["dag"].pop("fileloc", None)
    content["dag"].pop("_processor_dags_folder", None)
    text = relative(json.dumps(content, sort_keys=True, default=str), tree)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(tree: str) -> Any:
    """Return Airflow's bag of the DAGs in a tree."""
    try:
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415
    except ImportError:
        from airflow.models.dagbag import DagBag  # noqa: PLC0415
    return DagBag(tree, include_examples=False)


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
    """Load the tree; online, also let the scheduler know the DAGs at once instead of when it lists the folder next."""
    begin, tree = time.monotonic(), request["tree"]
    bag = load(tree)
    errors = {relative(path, tree): relative(text, tree) for path, text in bag.import_errors.items()}
    dags: dict[str, dict[str, str]] = {}
    for name, dag in bag.dags.items():
        file = relative(dag.fileloc, tree)
        try:
            dags[name] = {"file": file, "hash": fingerprint(dag, tree)}
        except (ValueError, TypeError, AttributeError, KeyError, RuntimeError) as error:
            errors[file] = f"{type(error).__name__}: {name} cannot be serialized: {error}"
    answer: dict[str, Any] = {"dags": dags, "errors": errors, "known": []}
    if request["offline"]:
        answer["errors"] = {**compile_all(tree), **errors}
        warned = getattr(bag, "captured_warnings", {})
        answer["warnings"] = sorted({relative(text, tree) for texts in warned.values() for text in texts})
    else:
        answer["known"] = known_errors(tree)
        let_know(bag)
    answer["seconds"] = time.monotonic() - begin
    return answer


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    temporary = Path(f"{order['answer']}.tmp")
    temporary.write_text(json.dumps(main(order)), encoding="utf-8")
    temporary.rename(order["answer"])
