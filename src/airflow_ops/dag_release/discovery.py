"""Which files of a tree Airflow loads, told on the controller by the rules of Airflow 2.11."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from airflow_ops.dag_release.inside import reachable

AIRFLOW_IGNORE = ".airflowignore"
COMMENT = re.compile(r"\s*#.*")
# What Python's regular expressions know and those of Airflow do not.
NOT_RE2 = re.compile(r"\(\?<?[=!]|(?<!\\)(?:\\\\)*\\[1-9]")
# What reading an archive may raise.
UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, OSError, RuntimeError, EOFError, ValueError)

Sources = dict[str, Callable[[], bytes]]  # what reads a Python file, by its path


class Rule(NamedTuple):
    """One line of an .airflowignore, with its pattern and the folder from which it counts; None for the bare name."""

    pattern: re.Pattern[str]
    include: bool
    folder: str | None
    of_folders: bool = False  # it ends with a slash, and Airflow gives folders one for it


def rule(line: str, syntax: str, folder: str = "") -> Rule | None:
    """Return what a line says, None where it says nothing.

    :raises ValueError: when Airflow could not use it.
    """
    line = COMMENT.sub("", line)
    if not line or (syntax == "glob" and line.strip() in ("", "/")):
        return None
    if syntax == "glob":
        pattern = GitIgnoreSpecPattern(line)
        where = folder if "/" in line.rstrip("/") else None
        return Rule(pattern.regex, bool(pattern.include), where, line.endswith("/")) if pattern.regex else None
    if NOT_RE2.search(line):
        raise ValueError("Airflow's expressions (RE2) know neither a look around nor a reference back")
    try:
        return Rule(re.compile(line), True, "")
    except re.error as error:
        raise ValueError(str(error)) from error


class Ignored:
    """What the .airflowignore files of a tree hide from Airflow.

    :param texts: their texts by the folder in which they lie.
    """

    def __init__(self, texts: Mapping[str, str], syntax: str) -> None:
        self.rules = {folder: list(_rules(text, syntax, folder)) for folder, text in texts.items()}

    def hides(self, name: str) -> bool:
        """Say whether Airflow does not come to a file."""
        parts = name.split("/")
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        return any(self.folder(folder) for folder in folders) or self._matches(name, is_folder=False)

    def folder(self, name: str) -> bool:
        """Say whether Airflow does not go into a folder whose parent it has entered."""
        return self._matches(name, is_folder=True)

    def _matches(self, name: str, is_folder: bool) -> bool:
        above = ["", *map(str, reversed(Path(name).parents[:-1]))]
        matched = False
        for one in (one for folder in above for one in self.rules.get(folder, ())):
            text = name.rpartition("/")[2] if one.folder is None else name.removeprefix(f"{one.folder}/")
            text += "/" if is_folder and one.of_folders else ""
            if one.pattern.search(text):
                matched = one.include
        return matched


def _rules(text: str, syntax: str, folder: str) -> list[Rule]:
    found = []
    for line in text.split("\n"):
        try:
            found.append(rule(line, syntax, folder))
        except ValueError:
            continue  # Airflow passes over it, too
    return [one for one in found if one]


def might_hold_a_dag(source: bytes, safe_mode: bool) -> bool:
    """Say whether Airflow loads a Python file."""
    text = source.lower() if safe_mode else b""
    return not safe_mode or (b"dag" in text and b"airflow" in text)


def loaded(sources: Sources, ignored: Ignored, safe_mode: bool) -> set[str]:
    """Return the Python files of a tree that Airflow loads, and the modules that these import."""
    listed = [name for name, read in sources.items() if not ignored.hides(name) and might_hold_a_dag(read(), safe_mode)]
    return reachable(listed, sources)


def loaded_from_archive(path: Path, safe_mode: bool) -> dict[str, bytes]:
    """Return the modules that Airflow loads from a zip archive, and those in it that these import.

    Airflow passes over an archive that cannot even be opened.

    :raises UNREADABLE: when one of them cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE:
        return {}
    with archive:
        sources: Sources = {name: partial(archive.read, name) for name in archive.namelist() if name.endswith(".py")}
        listed = [name for name in sources if "/" not in name and might_hold_a_dag(sources[name](), safe_mode)]
        return {name: sources[name]() for name in reachable(listed, sources)}
