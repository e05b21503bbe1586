#!/usr/bin/env python
"""The `airflow` that sudo finds for a task with run_as_user: Airflow with the configuration that the task was handed.

airflow.cfg holds the database password and is for Airflow's own account alone. Airflow hands the task's account a copy
(--cfg-path), but reads it only after it has set itself up, from the defaults that are left without airflow.cfg: the
task would look for its row in an SQLite file. Here the copy takes the place of airflow.cfg from the start, as a file in
memory, so that nothing of it goes to disk or to the environment of what the task starts. Runs in Airflow's virtual
environment, which sudo's path names next.
"""

import configparser
import json
import os
import sys
from pathlib import Path


def memory_file(settings):
    """Write section -> option -> value in the format of airflow.cfg to a file in memory; return its path."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_dict(settings)
    descriptor = os.memfd_create("airflow.cfg")
    with open(descriptor, "w", closefd=False) as stream:
        parser.write(stream)
    return f"/proc/self/fd/{descriptor}"


def main(arguments):
    """Start Airflow as its own command does; return its exit code."""
    if "--cfg-path" in arguments:
        handed_over = Path(arguments[arguments.index("--cfg-path") + 1])
        os.environ["AIRFLOW_CONFIG"] = memory_file(json.loads(handed_over.read_text()))
    from airflow.__main__ import main as airflow  # noqa: PLC0415 - importing it reads the configuration

    os.environ.pop("AIRFLOW_CONFIG", None)
    return airflow()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
