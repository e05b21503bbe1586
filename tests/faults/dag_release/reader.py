"""Runs on a host through all fault tests: it reads the live tree as Airflow does and writes down whatever is wrong.

Once a pass the link is resolved; then every file must be there, owned as it should be, parse, and be of one release.
Between the passes the link alone is looked at often: it must lead somewhere in every moment.
"""

import ast
import json
import os
import pwd
import sys
import time
from pathlib import Path

PASS = 0.2  # seconds between two passes
LOOK = 0.002  # seconds between two looks at the link
MARK = "# release: "
OURS = (".py", ".json", ".bin")


def release_of(path: Path) -> "str | None":
    """Return the release that a file says it is of; a file that does not parse is an error."""
    if path.suffix == ".py":
        text = path.read_text("utf-8")
        ast.parse(text, str(path))
        first = text.partition("\n")[0]
        return first[len(MARK) :] if first.startswith(MARK) else None
    if path.suffix == ".json":
        return str(json.loads(path.read_text("utf-8"))["release"])
    path.stat()
    return None


def read(link: Path, owner: int) -> "list[str]":
    """Return what is wrong with the live tree."""
    root = link.parent / link.readlink()
    # Of a release are all but what tasks write, which comes and goes.
    files = [Path(folder) / name for folder, _, names in os.walk(root) for name in names if Path(name).suffix in OURS]
    wrong = [f"{path} is owned by {path.stat().st_uid}" for path in files if path.stat().st_uid != owner]
    releases = {path: release_of(path) for path in files if "__pycache__" not in path.parts}
    seen = {release for release in releases.values() if release}
    if len(seen) != 1:
        wrong.append(f"{root} is of {len(seen)} releases: {sorted(seen)}")
    marked = sum(release is not None for release in releases.values())
    if (link.parent / "include").exists():
        beside = release_of(link.parent / "include/COUNT.json")
        over = release_of(link / "../include/COUNT.json")
        if link.parent / link.readlink() == root and {beside, over} != seen:
            wrong.append(f"{root} is of {sorted(seen)}, beside it lies {beside}, and over the link {over}")
    promised = json.loads((root / "COUNT.json").read_text("utf-8"))["files"]
    if marked != promised:
        wrong.append(f"{root} has {marked} files of {promised}")
    return wrong


def one_pass(link: Path, owner: int) -> "list[str]":
    """Read the tree, then look at the link until the next pass is due."""
    try:
        wrong = read(link, owner)
        until = time.monotonic() + PASS
        while time.monotonic() < until:
            link.stat()
            time.sleep(LOOK)
    except (OSError, SyntaxError, ValueError, KeyError) as error:
        return [repr(error)]
    return wrong


def main() -> None:
    """Read for ever; the findings and the number of passes go to the files named on the command line."""
    link, findings, count = map(Path, sys.argv[1:4])
    owner, passes = pwd.getpwnam(sys.argv[4]).pw_uid, 0
    while True:
        wrong = one_pass(link, owner)
        passes += 1
        if wrong:
            with findings.open("a") as file:
                file.writelines(f"{time.strftime('%T')} {line}\n" for line in wrong)
        new = count.with_suffix(".new")
        new.write_text(f"{passes}\n")
        new.replace(count)


if __name__ == "__main__":
    main()
