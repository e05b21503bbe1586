"""Read the JSON files of NGIOS_CONFIG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Not resolved: the path keeps the link AIRFLOW_HOME/dags, which is the same on every host and in every release.
DAGS_FOLDER = Path(__file__).parent.parent


def load_config(name: str) -> dict[str, Any]:
    """Return the content of NGIOS_CONFIG/<name>."""
    return json.loads((DAGS_FOLDER / "NGIOS_CONFIG" / name).read_text(encoding="utf-8"))
