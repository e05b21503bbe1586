"""Make the modules of the sample tree importable, as Airflow does with the DAG folder."""

from __future__ import annotations

import sys
from pathlib import Path

DAGS = Path(__file__).resolve().parents[3] / "dags"
sys.path.insert(0, str(DAGS))
