"""Compare the metadata database with the installed Airflow; the last line of output is the answer as JSON.

have: revisions the database is at (none in an empty one); want: those of the installed version; unknown: revisions that
only a newer Airflow knows; or error alone: why the database does not answer. Only reads. Run by the environment's
Python with the configuration of the live Airflow.
"""

import json
from pathlib import Path

import airflow
from airflow import settings
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError


def state():
    """Read the revisions on both sides."""
    script = ScriptDirectory(str(Path(airflow.__file__).parent / "migrations"))
    known = {revision.revision for revision in script.walk_revisions()}
    settings.configure_orm()
    with settings.engine.connect() as connection:
        have = set(MigrationContext.configure(connection).get_current_heads())
    return {"have": sorted(have), "want": sorted(script.get_heads()), "unknown": sorted(have - known)}


try:
    answer = state()
except SQLAlchemyError as error:
    # Without the statement and the address, which holds the password.
    answer = {"error": str(getattr(error, "orig", None) or type(error).__name__)}
print(json.dumps(answer))
