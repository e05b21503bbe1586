"""Start the watchdog: python3 -I -S FOLDER COMMAND."""

import sys

from airflow_watchdog.command import main

sys.exit(main(sys.argv[1:]))
