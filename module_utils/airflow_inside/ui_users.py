"""Make the accounts of Airflow's web UI match a list; accounts that the list does not name are left alone."""

from __future__ import annotations

from typing import Any

User = dict[str, Any]
Change = dict[str, Any]
FIELDS = ("email", "first_name", "last_name")


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"changes"}`` for ``request["users"]``; write them, in one transaction, unless ``request["check"]``.

    ``request["passwords"]`` maps user names to plain passwords. A hash is replaced only when it does not fit.
    """
    from airflow.utils.session import create_session  # noqa: PLC0415 - only the virtual environment has Airflow
    from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError  # noqa: PLC0415

    try:
        with create_session() as session:
            rows = _rows(session)
            have = {name: _described(row, request["passwords"].get(name)) for name, row in rows.items()}
            taken = email_conflicts(have, request["users"])
            if taken:
                return {"error": " ".join(taken)}
            changes = plan(have, request["users"])
            if changes and not request["check"]:
                _apply(session, rows, changes, request["passwords"])
    except (OperationalError, ProgrammingError) as error:  # no server, or no tables
        return {"missing": f"The metadata database is not there yet: {error.orig}."}
    except DBAPIError as error:
        return {"error": f"The metadata database refused: {error.orig}."}
    return {"changes": changes}


def plan(have: dict[str, User], want: list[User]) -> list[Change]:
    """Return ``{username, before, after}`` with the fields that differ; ``before`` is None for a new account.

    A password shows as ``(secret)`` and ``(secret, changed)``.
    """
    changes = []
    for user in want:
        before = have.get(user["username"])
        after = {**{field: user[field] for field in FIELDS}, "roles": [user["role"]], "password": "(secret)"}
        if before is None:
            changes.append({"username": user["username"], "before": None, "after": after})
            continue
        if not before["password_fits"]:
            after["password"] = "(secret, changed)"
        known = {**{field: before[field] for field in (*FIELDS, "roles")}, "password": "(secret)"}
        differing = [field for field in after if after[field] != known[field]]
        if differing:
            changes.append(
                {
                    "username": user["username"],
                    "before": {field: known[field] for field in differing},
                    "after": {field: after[field] for field in differing},
                }
            )
    return changes


def email_conflicts(have: dict[str, User], want: list[User]) -> list[str]:
    """Return a sentence for each wanted address that another account has; Airflow's addresses are unique."""
    owners = {user["email"].lower(): name for name, user in have.items()}
    return [
        f"{user['username']} can't get the address {user['email']}: it belongs to {owners[user['email'].lower()]}."
        for user in want
        if owners.get(user["email"].lower(), user["username"]) != user["username"]
    ]


def _rows(session: Any) -> dict[str, Any]:
    from airflow.providers.fab.auth_manager.models import User as UserRow  # noqa: PLC0415

    return {row.username: row for row in session.query(UserRow)}


def _described(row: Any, password: str | None) -> User:
    from werkzeug.security import check_password_hash  # noqa: PLC0415

    return {
        **{field: getattr(row, field) for field in FIELDS},
        "roles": sorted(role.name for role in row.roles),
        "password_fits": bool(password and row.password and check_password_hash(row.password, password)),
    }


def _apply(session: Any, rows: dict[str, Any], changes: list[Change], passwords: dict[str, str]) -> None:
    from airflow.providers.fab.auth_manager.models import User as UserRow  # noqa: PLC0415
    from werkzeug.security import generate_password_hash  # noqa: PLC0415

    roles = _roles(session, {role for change in changes for role in change["after"].get("roles", [])})
    for change in changes:
        name, after = change["username"], change["after"]
        row = rows.get(name) or UserRow(username=name, active=True)
        for field in FIELDS:
            setattr(row, field, after.get(field, getattr(row, field)))
        if "roles" in after:
            row.roles = [roles[role] for role in after["roles"]]
        if "password" in after:
            row.password = generate_password_hash(passwords[name])
        session.add(row)


def _roles(session: Any, names: set[str]) -> dict[str, Any]:
    from airflow.providers.fab.auth_manager.models import Role  # noqa: PLC0415

    roles = {role.name: role for role in session.query(Role)}
    if names - set(roles):
        _create_roles()
        session.rollback()  # the next query sees what the other session committed
        roles = {role.name: role for role in session.query(Role)}
    return roles


def _create_roles() -> None:
    # What `airflow sync-perm` does: a fresh database knows Admin and Public only.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder  # noqa: PLC0415

    with get_application_builder() as builder:
        builder.add_permissions(update_perms=True)
        builder.sm.sync_roles()
