"""``python -m airflow_ops.cli``: the command airflow-ops."""

import sys

from airflow_ops.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
