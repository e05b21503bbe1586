"""What may be typed: each kind of value turns a text into a variable, or refuses it in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMPONENTS = ("scheduler", "webserver", "triggerer", "worker", "all")
CHECKS = ("names", "links", "lfs", "python", "json", "airflowignore")  # of a tree of DAGs
SEVERITIES = ("warning", "error", "never")
KEY = re.compile(r"[\w.-]{1,250}")  # what Airflow takes as a dag_id
LIMIT = re.compile(r"(?![-@])[\w.:,&!*?~\[\]-]+")
REVISION = re.compile(r"(?!-)[\w./@{}^~+-]+")
MOST_MINUTES = 7 * 24 * 60


class BadValue(Exception):
    """A text that cannot be meant, in one sentence."""


def key(text: str) -> str:
    """Return a dag_id, run id or release id."""
    if not KEY.fullmatch(text):
        raise BadValue(f"{text!r} is no id; it may hold letters, digits, dots, dashes and underscores, at most 250.")
    return text


def run_id(text: str) -> str:
    """Return the id of a DAG run, which holds times: manual__2026-03-14T09:26:00+00:00."""
    if not re.fullmatch(r"[\w.:+~-]{1,250}", text):
        raise BadValue(f"{text!r} is no run id; copy it from the list of DAG runs.")
    return text


def pattern(text: str) -> str:
    """Return a regular expression."""
    if not text:
        raise BadValue("an empty pattern would mean every task; write '.*' for that.")
    try:
        re.compile(text)
    except re.error as error:
        raise BadValue(f"{text!r} is no regular expression ({error}).") from error
    return text


def moment(text: str) -> str:
    """Return a date or time in ISO form."""
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise BadValue(f"{text!r} is no date; write 2026-03-14 or 2026-03-14T09:26:00+00:00.") from error
    return text


def conf(text: str) -> dict[str, Any]:
    """Return a JSON object; ``@FILE`` names a file that holds it."""
    where = ""
    if text.startswith("@"):
        where = f" of {text[1:]}"
        try:
            text = Path(text[1:]).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadValue(
                f"the file {text[1:]!r} cannot be read ({getattr(error, 'strerror', 'not UTF-8')})."
            ) from error
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadValue(f'the text{where} is no JSON ({error}); write \'{{"key": "value"}}\'.') from error
    if not isinstance(value, dict):
        raise BadValue(f'the JSON{where} is no object; write \'{{"key": "value"}}\'.')
    return value


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a kind that takes whole numbers of a range."""

    def check(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise BadValue(f"{text!r} is no whole number from {least} to {most}.")
        return int(text)

    return check


def limit(text: str) -> str:
    """Return a host pattern of Ansible."""
    if not LIMIT.fullmatch(text):
        raise BadValue(f"{text!r} is no host pattern; name hosts or groups, with commas between them.")
    return text


def host(text: str) -> str:
    """Return the name of one host."""
    if not re.fullmatch(r"\w[\w.-]*", text):
        raise BadValue(f"{text!r} is no host name.")
    return text


def revision(text: str) -> str:
    """Return a branch, tag or commit."""
    if not REVISION.fullmatch(text) or ".." in text:
        raise BadValue(f"{text!r} is no revision; name a branch, a tag or a commit.")
    return text


def repository(text: str) -> str:
    """Return the address of a git repository, which must not hold a password: arguments can be read by everybody."""
    if not text or text.startswith("-") or re.search(r"\s", text):
        raise BadValue("it is no address of a repository.")
    if ":" in urlsplit(text).netloc.rpartition("@")[0]:
        raise BadValue(
            "the address holds a password, which everybody on this machine could read; use a credential helper."
        )
    return text


def folder(text: str) -> str:
    """Return a folder of this machine as an absolute path."""
    path = Path(text).expanduser()
    if not path.is_dir():
        raise BadValue(f"{text!r} is no folder.")
    return str(path.absolute())


def below(text: str) -> str:
    """Return a path below something that is named elsewhere."""
    if not text or text.startswith(("/", "-")) or ".." in text.split("/") or not text.isprintable():
        raise BadValue(f"{text!r} is no path below another folder.")
    return text


def new_file(text: str) -> str:
    """Return the absolute path of a file to be written."""
    path = Path(text).expanduser().absolute()
    if not path.parent.is_dir():
        raise BadValue(f"the folder {str(path.parent)!r} does not exist.")
    if path.is_dir():
        raise BadValue(f"{text!r} is a folder, not a file.")
    return str(path)


def remote_path(text: str) -> str:
    """Return a path on the hosts, absolute or below the dags folder."""
    if not text or ".." in text.split("/") or not text.isprintable():
        raise BadValue(f"{text!r} is no path on the hosts; name a file or folder below the dags or log folder.")
    return text


def component(text: str) -> str:
    """Return the name of a service."""
    if text not in COMPONENTS:
        raise BadValue(f"{text!r} is no component; choose from {', '.join(COMPONENTS)}.")
    return text


def severity(text: str) -> str:
    """Return from which severity on drift is a failure."""
    if text not in SEVERITIES:
        raise BadValue(f"{text!r} is no severity; choose from {', '.join(SEVERITIES)}.")
    return text


def checks(text: str) -> list[str]:
    """Return the names of checks, between commas."""
    names = text.split(",")
    if unknown := [name for name in names if name not in CHECKS]:
        raise BadValue(f"{unknown[0]!r} is no check; choose from {', '.join(CHECKS)}, with commas between them.")
    return names


def sentence(text: str) -> str:
    """Return a reason in words."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise BadValue("a reason is one line of 1 to 200 characters.")
    return text


def name(text: str) -> str:
    """Return the name of an environment."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise BadValue(f"{text!r} is no environment.")
    return text
