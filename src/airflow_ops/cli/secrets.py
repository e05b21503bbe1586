"""Keep secrets out of what is written down: values under names that look secret, and addresses with a password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SECRET = re.compile(r"pass(word|wd|phrase)?|secret|token|credential|private|fernet|(api|access|auth)_?key", re.I)
HIDDEN = "********"
PASSWORD_IN_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*):(\S+)@", re.I)  # up to the last @


def hidden(value: Any, name: str = "") -> Any:
    """Return a value with HIDDEN in the place of what looks secret."""
    if isinstance(value, Mapping):
        return {key: hidden(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item, name) for item in value]
    if SECRET.search(name.rpartition("_conf")[2] if "_conf" in name else name) and value not in ("", None):
        return HIDDEN
    if not isinstance(value, str):
        return value
    content = parsed(value)
    if content is not None:
        clean = hidden(content, name)
        return value if clean == content else json.dumps(clean, ensure_ascii=False)
    return PASSWORD_IN_ADDRESS.sub(rf"\1:{HIDDEN}@", value)


def parsed(text: str) -> Any:
    """Return what a text of JSON holds, when it is an object or a list."""
    try:
        content = json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except ValueError:
        return None
    return content


def secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts that `hidden` hides."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets(item, f"{name}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item, name)
    elif hidden(value, name) == HIDDEN:
        yield str(value)
    elif hidden(value, name) != value:
        content = parsed(value)
        if content is not None:
            yield from secrets(content, name)
        else:
            yield from (found[2] for found in PASSWORD_IN_ADDRESS.finditer(value))


class Scrubber:
    """Takes known secrets out of texts."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        found = sorted({text for text in secrets(values) if len(text) > 2}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, found))) if found else None

    def __call__(self, text: str) -> str:
        """Return a text without them."""
        clean = self._pattern.sub(HIDDEN, text) if self._pattern else text
        return PASSWORD_IN_ADDRESS.sub(rf"\1:{HIDDEN}@", clean) if "://" in clean else clean
