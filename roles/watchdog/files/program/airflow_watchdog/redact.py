"""What no report may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Also of an address that is not whole, as the exception has it that complains about it; up to the last @ of its word.
URL_PASSWORD = re.compile(r"(//[^:/@\s]*:)\S+(@)")
ASSIGNMENT = re.compile(r"(?i)((?:password|passwd|secret|token|fernet_key)\w*[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+")
OPTION = re.compile(r"(?i)(--?[\w-]*(?:password|passwd|secret|token|key)[\w-]*[= ])\S+")
LONG = 5000  # characters; patterns take their time with more
UNPRINTABLE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without the given secrets and without what looks like one."""
    for secret in secrets:
        text = text.replace(secret, "********")
    return ASSIGNMENT.sub(r"\1********", URL_PASSWORD.sub(r"\1********\2", text))


def line(text: str, limit: int = 300) -> str:
    """Return a text that somebody else wrote as one line that may be shown."""
    text = text[:LONG]
    shown = " ".join(UNPRINTABLE.sub(" ", OPTION.sub(r"\1********", redacted(text))).split())
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."
