"""Make one archive from which a controller without internet sets itself up and installs the cluster.

    python -m airflow_ops.bundle dist

It holds the repository as committed, the controller's own packages, the hosts' wheelhouse, uv, checksums, and a script
that sets all of it up. Make it where internet is, on a machine with the hosts' distribution and Python.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airflow_ops.wheelhouse import (
    DEFAULT_CACHE,
    Order,
    Python,
    WheelhouseError,
    build,
    checksums,
    describe_python,
    say,
)

REPOSITORY = Path(__file__).parents[2]
LOCKS = REPOSITORY / "roles" / "airflow_install" / "files"
SETUP = Path(__file__).with_name("bundle_setup.sh")


def git(*arguments: str | Path) -> str:
    """Run git in the repository; return what it prints."""
    try:
        done = subprocess.run(["git", "-C", REPOSITORY, *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        raise WheelhouseError(f"The bundle is made from the git repository {REPOSITORY}: {reason.strip()}") from error
    return done.stdout.strip()


def orders(python: Python, extra: Sequence[str]) -> dict[Path, Order]:
    """What the bundle needs of packages: the controller's, and the hosts' of every Airflow that has a lock."""
    controller = Order((REPOSITORY / "requirements.lock").read_text(), python.platform)
    hosts = [Order(lock.read_text(), python.platform, tuple(extra)) for lock in sorted(LOCKS.glob("airflow-*.txt"))]
    return {Path("controller"): controller, **{Path("wheelhouse", order.folder): order for order in hosts}}


def fill(folder: Path, python: Python, extra: Sequence[str], cache: Path) -> None:
    """Put everything into the folder of the bundle, the checksums last."""
    for place, order in orders(python, extra).items():
        build(order, python, cache)
        shutil.copytree(cache / order.folder, folder / place)
    git("archive", "--format=tar", f"--output={folder / 'repository.tar'}", "HEAD")
    shutil.copy2(SETUP, folder / "setup")
    (folder / "setup").chmod(0o755)
    (folder / "SHA256SUMS").write_text(checksums(folder))


def make(output: Path, python: Python, extra: Sequence[str], cache: Path) -> Path:
    """Write the archive into the output folder under its final name only when it is complete; return its path."""
    name = f"airflow-ops-bundle-{git('rev-parse', '--short=12', 'HEAD')}"
    if git("status", "--porcelain", "--untracked-files=no"):
        say("changes that are not committed are not in the bundle")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as work:
        folder = Path(work, name)
        folder.mkdir()
        fill(folder, python, extra, cache)
        say("writing the archive")
        with tarfile.open(Path(work, "bundle.tar"), "w") as archive:  # wheels are compressed already
            archive.add(folder, arcname=name)
        return Path(work, "bundle.tar").rename(output / f"{name}.tar")


def parser() -> argparse.ArgumentParser:
    """The command line of this module."""
    made = argparse.ArgumentParser(
        prog="python -m airflow_ops.bundle", description="Make the bundle for offline sites."
    )
    made.add_argument("output", type=Path, help="folder for the archive")
    made.add_argument(
        "--extra", action="append", default=[], metavar="NAME==VERSION", help="as in airflow_install_extra_packages"
    )
    made.add_argument("--python", type=Path, default=Path("/usr/bin/python3"), help="Python like that of the hosts")
    made.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of all wheelhouses (%(default)s)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the bundle, print its path; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        print(make(options.output, describe_python(options.python), options.extra, options.cache))
    except (WheelhouseError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
