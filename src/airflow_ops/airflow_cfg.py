"""airflow.cfg as data: its text, the operator manual's parameter names, and a digest for each service.

Settings are ``{section: {option: value}}``. A value of None removes the option, a section of None the section.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Settings = Mapping[str, Mapping[str, Any] | None]
Options = dict[str, dict[str, str]]

NAME = re.compile(r"[\w.-]+")


def render(settings: Settings) -> str:
    """Return the text of airflow.cfg: sections and options sorted, so that equal data is equal text.

    :raises ValueError: naming the option, when the text would not be read back as the value.
    """
    sections = [
        "\n".join([f"[{section}]", *(f"{option} = {_doubled(value)}".rstrip() for option, value in options.items())])
        for section, options in texts(settings).items()
    ]
    return "\n\n".join(sections) + "\n" if sections else ""


def texts(settings: Settings) -> Options:
    """Return ``{section: {option: text}}``, sorted, without what None removed; `%` is not doubled yet.

    True and False as Airflow writes them, mappings and lists as JSON, everything else as ``str`` gives it.

    :raises ValueError: naming the option, never the value, when it can't stand in airflow.cfg.
    """
    kept: Options = {}
    for section, options in sorted(settings.items()):
        _check_name(section, "a section")
        values = {option: value for option, value in sorted((options or {}).items()) if value is not None}
        if values:
            kept[section] = {option: _text(section, option, value) for option, value in values.items()}
    return kept


def parameters(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return settings for values that carry the operator manual's flat names.

    :param values: ``{name: value}``, such as ``{"max_threads": 4}``.
    :param names: ``{name: "section.option"}``, such as ``{"max_threads": "scheduler.parsing_processes"}``.
    :raises ValueError: for an unknown name, with the list.
    """
    settings: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"airflow_config_parameters takes no {name}, it takes {', '.join(sorted(names))}")
        section, _, option = names[name].rpartition(".")
        settings.setdefault(section, {})[option] = value
    return settings


def digests(
    settings: Settings, *, key: str, readers: Mapping[str, Mapping[str, Sequence[str]]], services: Iterable[str]
) -> dict[str, str]:
    """Return for each service a digest that changes exactly when an option that it reads changes.

    :param key: the Fernet key; it makes the digest useless for guessing a password.
    :param readers: ``{section: {option: [service]}}``; the option ``*`` stands for the rest of its section.
        An option that the table does not know is read by every service.
    :param services: the names of all services.
    """
    options = [(section, option, text) for section, found in texts(settings).items() for option, text in found.items()]
    return {
        service: _hmac(key, [entry for entry in options if _reads(service, readers.get(entry[0], {}), entry[1])])
        for service in services
    }


def _reads(service: str, section: Mapping[str, Sequence[str]], option: str) -> bool:
    known = section.get(option, section.get("*"))
    return known is None or service in known


def _hmac(key: str, options: list[tuple[str, str, str]]) -> str:
    return hmac.new(key.encode(), json.dumps(options).encode(), hashlib.sha256).hexdigest()


def _doubled(text: str) -> str:
    # Airflow reads the file with interpolation on: a single % (a quoted password has many) would end its start.
    return text.replace("%", "%%")


def _text(section: str, option: str, value: Any) -> str:
    _check_name(option, f"an option of [{section}]")
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = str(value)
    if text != text.strip() or len(text.splitlines()) > 1:
        raise ValueError(f"[{section}] {option} begins or ends with white space or has several lines; use one line")
    return text


def _check_name(name: str, kind: str) -> None:
    if name == "DEFAULT" or not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't name {kind} in airflow.cfg; use letters, digits, . _ and -")
