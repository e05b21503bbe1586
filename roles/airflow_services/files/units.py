"""What the units run beside Airflow, by the host's own python3 and nothing but its standard library.

python3 -I -S FOLDER alone HOME: before a start of the scheduler, may it start?
python3 -I -S FOLDER ended SERVICE: after an end, tell root.
python3 -I -S FOLDER record ACCOUNT AIRFLOW_CFG: root, on a connection of its socket, writes the end down.
"""

import sys
import traceback

BROKEN = 255  # systemd tries again, and everybody sees it; any other code would leave the unit inactive for good


def main(command: str, *arguments: str) -> int:
    """Run a command; each imports only what it needs, for systemd waits."""
    if command == "alone":
        from airflow_watchdog import alone  # noqa: PLC0415

        return alone.main(*arguments)
    import record_end  # noqa: PLC0415

    {"ended": record_end.call, "record": record_end.answer}[command](*arguments)
    return 0


if __name__ == "__main__":
    try:
        code = main(*sys.argv[1:])
    except Exception:
        traceback.print_exc()
        code = BROKEN
    sys.exit(code)
