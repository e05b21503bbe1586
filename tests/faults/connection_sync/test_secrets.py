"""After all other tests of the sync: no secret was said, and none is left anywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.two_sides import SECRET, Sides

PROOF = "/root/proof"
SEARCH = f"""
sudo tee {PROOF} >/dev/null
sudo timeout 100 grep -rlsF --devices=skip --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -f {PROOF} /
sudo sh -c 'journalctl --no-pager | grep -cFf {PROOF}; rm {PROOF}'
"""


def test_no_secret_was_said_or_left(both: Sides) -> None:
    """Looks at all that the runs of all tests have said, at the files and the journal of all hosts, and here."""
    assert len(both.runs) > 0
    assert [run.words for run in both.runs if SECRET in run.said] == []
    for cluster, hosts in ((both.prod, ("mn01p", "mn02p")), (both.dev, ("mn01d",))):
        for host in hosts:
            found = cluster.ssh(host, SEARCH, stdin=SECRET).stdout.split()
            assert found == [PROOF, "0"], host
    here = subprocess.run(
        ["grep", "-rlF", SECRET, Path.home() / ".ansible"], capture_output=True, text=True, check=False
    )
    assert here.stdout == ""
