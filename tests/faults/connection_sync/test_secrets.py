"""After all other tests of the sync: no secret was said, and none is left anywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.two_sides import SECRET, Sides

PROOF, IN_MEMORY = "/root/proof", "/dev/shm/dev/proof"  # what the search must find
SEARCH = f"""
sudo sh -c 'set -e; mkdir -p {Path(IN_MEMORY).parent}; umask 077; tee {PROOF} >{IN_MEMORY}'
sudo timeout 300 find / '(' -path /proc -o -path /sys ')' -prune -o -type f -exec grep -lsFf {PROOF} '{{}}' + | sort
echo "ended with ${{PIPESTATUS[0]}}"
sudo sh -c 'journalctl --no-pager | grep -cFf {PROOF}; rm -r {PROOF} {Path(IN_MEMORY).parent}'
"""
# Those of find: all was searched, or a file went away meanwhile or did not match; not that the time was up.
SEARCHED = ("ended with 0", "ended with 1")


def test_no_secret_was_said_or_left(both: Sides) -> None:
    """Looks at all that the runs of all tests have said, at the files and the journal of all hosts, and here."""
    assert len(both.runs) > 0
    assert [run.words for run in both.runs if SECRET in run.said] == []
    for cluster, hosts in ((both.prod, ("mn01p", "mn02p")), (both.dev, ("mn01d",))):
        for host in hosts:
            *found, ended, journal = cluster.ssh(host, SEARCH, check=False, stdin=SECRET).stdout.splitlines()
            assert ended in SEARCHED, host
            assert (found, journal) == ([IN_MEMORY, PROOF], "0"), host
    here = subprocess.run(
        ["grep", "-rlF", SECRET, Path.home() / ".ansible"], capture_output=True, text=True, check=False
    )
    assert here.stdout == ""
