"""What the last lines of an ansible-playbook run say."""

import re
from subprocess import CompletedProcess

LINE = re.compile(
    r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)",
    re.M,
)


def changed_by_host(run: "CompletedProcess[str]") -> dict[str, int]:
    """Return the number of changes by host."""
    return {match["host"]: int(match["changed"]) for match in LINE.finditer(run.stdout)}


def changing_tasks(run: "CompletedProcess[str]") -> list[str]:
    """Return the tasks that reported a change, for the message of a failed test."""
    task, found = "", []
    for line in run.stdout.splitlines():
        if line.startswith(("TASK [", "RUNNING HANDLER [")):
            task = line.strip("* ")
        elif line.startswith("changed:"):
            found.append(f"{task} {line}")
    return found
