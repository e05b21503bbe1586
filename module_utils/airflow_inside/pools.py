"""Make Airflow's pools match a list; pools that the list does not name are left alone."""

from __future__ import annotations

from typing import Any

Pool = dict[str, Any]
Change = dict[str, Any]
FIELDS = ("slots", "description", "include_deferred")


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"changes"}`` for ``request["pools"]``; write them, in one transaction, unless ``request["check"]``."""
    from airflow.models import Pool as PoolRow  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError  # noqa: PLC0415

    try:
        with create_session() as session:
            rows = {row.pool: row for row in session.query(PoolRow)}
            have = {name: {field: getattr(row, field) for field in FIELDS} for name, row in rows.items()}
            changes = plan(have, request["pools"])
            for change in [] if request["check"] else changes:
                row = rows.get(change["name"]) or PoolRow(pool=change["name"])
                for field, value in change["after"].items():
                    setattr(row, field, value)
                session.add(row)
    except (OperationalError, ProgrammingError) as error:  # no server, or no tables
        return {"missing": f"The metadata database is not there yet: {error.orig}."}
    except DBAPIError as error:
        return {"error": f"The metadata database refused: {error.orig}."}
    return {"changes": changes}


def plan(have: dict[str, Pool], want: list[Pool]) -> list[Change]:
    """Return ``{name, before, after}`` for each pool that differs; ``before`` is None for a new one."""
    changes = []
    for pool in want:
        before = have.get(pool["name"])
        after = {field: pool[field] for field in FIELDS}
        if before != after:
            changes.append({"name": pool["name"], "before": before, "after": after})
    return changes
