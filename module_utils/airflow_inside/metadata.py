"""Read connections, variables and pools as they are in the metadata database, or write exact changes of them.

Rows are read by column, not as objects: Airflow's objects decrypt when they are loaded, so one row with a foreign key
would hide all others, and each password would go through the masker of its log, which takes minutes for a thousand.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = dict[str, Row]

# By kind: the model, the column of the name, and each field with its column. Columns that are encrypted have a flag.
COLUMNS: dict[str, dict[str, Any]] = {
    "connections": {
        "model": "Connection",
        "name": "conn_id",
        "fields": {
            "conn_type": "conn_type",
            "host": "host",
            "port": "port",
            "schema": "schema",
            "login": "login",
            "password": "_password",
            "extra": "_extra",
            "description": "description",
        },
        "flags": {"password": "is_encrypted", "extra": "is_extra_encrypted"},
    },
    "variables": {
        "model": "Variable",
        "name": "key",
        "fields": {"value": "_val", "description": "description"},
        "flags": {"value": "is_encrypted"},
    },
    "pools": {
        "model": "Pool",
        "name": "pool",
        "fields": {"slots": "slots", "description": "description", "include_deferred": "include_deferred"},
        "flags": {},
    },
}
NO_SUCH_TABLE = 1146  # the number of MariaDB's error
SETTERS = {"value": "val"}  # of the model, where it is not called as the field


class Refusal(Exception):
    """Nothing is written; the text is one sentence without a secret."""


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of ``request["kinds"]``, or write ``request["changes"]`` in one transaction, holding a lock.

    A change is ``{kind, name, before, after}`` with whole rows, None where there is none. Nothing is written unless
    every row still is as ``before`` says, and unless afterwards the tables hold exactly what they should. What speaks
    against it is in ``refused``, what the database did in ``lost``; ``unsure`` says that it was lost in the commit,
    ``no_tables`` that it has none yet.
    """
    from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError  # noqa: PLC0415

    committing = False
    try:
        from airflow.utils.session import create_session  # noqa: PLC0415 - only the virtual environment has Airflow

        if "changes" not in request:
            with create_session() as session:
                return export(session, request["kinds"], request["types"])
        with run_lock(Path(request["lock"]), request["who"]), create_session() as session:
            answer = write(session, request["changes"])
            committing = True
        return answer
    except Refusal as error:
        return {"refused": str(error)}
    except (OperationalError, ProgrammingError) as error:
        return lost(error.orig, committing)
    except DBAPIError as error:
        return {"refused": f"The metadata database refused: {error.orig}."}


def lost(error: Exception, committing: bool) -> dict[str, Any]:
    """Return what the database did: there is no server, it has no tables, or it is gone meanwhile."""
    no_tables = error.args[0] == NO_SUCH_TABLE
    what = "has no tables of Airflow" if no_tables else "does not answer"
    return {"lost": f"The metadata database {what}: {error}.", "unsure": committing, "no_tables": no_tables}


@contextmanager
def run_lock(path: Path, who: str) -> Iterator[None]:
    """Hold the lock file while the block runs; its content says who does.

    The kernel gives the lock back when the process ends, however that happens, so none is ever left behind.
    """
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror}); run site.yml --tags airflow.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(holder(path)) from None
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        file.truncate(0)
        json.dump({"who": who, "since": since, "pid": os.getpid()}, file)
        file.flush()
        yield
        file.truncate(0)


def holder(path: Path) -> str:
    """Return who holds a lock, as a sentence."""
    try:
        about = json.loads(path.read_text("utf-8"))
    except ValueError:  # it is being written
        return f"Another run holds {path}."
    return f"{about['who']} holds {path} since {about['since']}; run it again when that run has ended."


def export(session: Any, kinds: list[str], types: bool) -> dict[str, Any]:
    """Return version, identity of the database, and all rows by kind and name; changes nothing."""
    from airflow import __version__  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415

    host, port, database = session.execute(text("select @@hostname, @@port, database()")).one()
    return {
        "version": __version__,
        "database": f"{database} on {host}:{port}",
        "rows": {kind: read(session, kind) for kind in kinds},
        "types": known_types() if types else [],
    }


def known_types() -> list[str]:
    """Return the connection types that the installed providers bring."""
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415

    return sorted(ProvidersManager().hooks)


def read(session: Any, kind: str, lock: bool = False) -> Rows:
    """Return the rows of a kind by name, decrypted; all that can't be decrypted are told at once."""
    rows: Rows = {}
    lost: list[str] = []
    for name, _, values, flags in stored(session, kind, lock):
        for field, encrypted in flags.items():
            if values[field] and encrypted:
                values[field] = decrypted(values[field], f"{name} ({field})", lost)
        rows[name] = values
    if lost:
        raise Refusal(
            f"The fernet_key of this host does not open {', '.join(lost)}: they were written with another key. "
            "Compare airflow_config_fernet_key in vault.yml with the key of that time."
        )
    return rows


def stored(session: Any, kind: str, lock: bool) -> list[tuple[str, int, Row, dict[str, bool]]]:
    """Return name, number, values and flags of each row of a kind."""
    about, model = COLUMNS[kind], model_of(kind)
    names = [about["name"], "id", *about["fields"].values(), *about["flags"].values()]
    query = session.query(*(getattr(model, name) for name in names)).order_by(model.id)
    fields, flags = len(about["fields"]), list(about["flags"])
    return [
        (
            row[0],
            row[1],
            dict(zip(about["fields"], row[2 : 2 + fields])),  # noqa: B905 - as long as each other
            dict(zip(flags, row[2 + fields :])),  # noqa: B905
        )
        for row in (query.with_for_update() if lock else query)
    ]


def model_of(kind: str) -> Any:
    """Return the class of Airflow for a kind."""
    from airflow import models  # noqa: PLC0415

    return getattr(models, COLUMNS[kind]["model"])


def decrypted(text: str, where: str, lost: list[str]) -> str | None:
    """Return the plain text, or note where it could not be had."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    fernet = key()
    try:
        if fernet.is_encrypted:
            return str(fernet.decrypt(text.encode()).decode())
    except InvalidToken:
        pass
    lost.append(where)
    return None


def key() -> Any:
    """Return what encrypts and decrypts; without a key nothing is stored."""
    from airflow.exceptions import AirflowException  # noqa: PLC0415
    from airflow.models.crypto import get_fernet  # noqa: PLC0415

    try:
        return get_fernet()
    except AirflowException:
        raise Refusal(
            "The fernet_key of this host is no Fernet key; see airflow_config_fernet_key in vault.yml."
        ) from None


def write(session: Any, changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the changes and return how many; the caller's session commits after the last look."""
    if not key().is_encrypted:
        raise Refusal(
            "This host has no fernet_key, so secrets would be stored in clear; see airflow_config_fernet_key."
        )
    kinds = sorted({change["kind"] for change in changes})
    have = {kind: read(session, kind, lock=True) for kind in kinds}
    edited = [change["name"] for change in changes if have[change["kind"]].get(change["name"]) != change["before"]]
    if edited:
        raise Refusal(f"Somebody else has changed {', '.join(edited)} since the plan was made; run it again.")
    want = expected(have, changes)
    for kind in kinds:
        numbers = {name: number for name, number, _, _ in stored(session, kind, lock=False)}
        for change in (change for change in changes if change["kind"] == kind):
            write_one(session, change, numbers)
    session.flush()
    wrong = differences(want, {kind: read(session, kind) for kind in kinds})
    if wrong:
        raise Refusal(f"The database would not hold {', '.join(wrong)} as they were written.")
    return {"written": len(changes)}


def expected(have: dict[str, Rows], changes: list[dict[str, Any]]) -> dict[str, Rows]:
    """Return what the tables must hold after the changes."""
    want = {kind: dict(rows) for kind, rows in have.items()}
    for change in changes:
        if change["after"] is None:
            del want[change["kind"]][change["name"]]
        else:
            want[change["kind"]][change["name"]] = change["after"]
    return want


def differences(want: dict[str, Rows], have: dict[str, Rows]) -> list[str]:
    """Return the names whose rows are not the expected ones; an empty secret counts as none."""
    return [
        name
        for kind, rows in want.items()
        for name in sorted({*rows, *have[kind]})
        if plain(rows.get(name)) != plain(have[kind].get(name))
    ]


def plain(row: Row | None) -> Row | None:
    """Return a row with None for every empty text."""
    return None if row is None else {field: None if value == "" else value for field, value in row.items()}


def write_one(session: Any, change: dict[str, Any], numbers: dict[str, int]) -> None:
    """Create, update or delete one row, encrypted by Airflow's own model."""
    about, model = COLUMNS[change["kind"]], model_of(change["kind"])
    if change["after"] is None:
        session.query(model).filter(model.id == numbers[change["name"]]).delete(synchronize_session=False)
        return
    row = model()
    setattr(row, about["name"], change["name"])
    for field, value in change["after"].items():
        setattr(row, SETTERS.get(field, field), value)
    if change["before"] is None:
        session.add(row)
        return
    # A row of its own and an update of all columns: Airflow's setter leaves an old password where the new one is empty.
    names = [*about["fields"].values(), *about["flags"].values()]
    values = {name: getattr(row, name) for name in names}
    values.update({flag: bool(values[flag]) for flag in about["flags"].values()})
    columns = {getattr(model, name): value for name, value in values.items()}
    session.query(model).filter(model.id == numbers[change["name"]]).update(columns, synchronize_session=False)
