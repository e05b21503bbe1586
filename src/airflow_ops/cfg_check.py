"""Judge the text of an airflow.cfg by what the installed Airflow knows of its options.

Airflow itself takes unknown options and wrong types without a word and fails later, or never. No sentence holds the
value of a sensitive option. Runs on a host inside the installed Airflow, and on the controller with the table of a
version (airflow_options.py).
"""

from __future__ import annotations

import base64
import configparser
import difflib
import os
from collections.abc import Mapping
from typing import Any

Rules = dict[str, Any]
Name = tuple[str, str]
# Airflow passes these sections on as they are, so any option may stand there.
OPEN_SECTIONS = ("celery_broker_transport_options", "celery_result_backend_transport_options")
TYPES = {"integer": "an integer", "float": "a number", "boolean": "a boolean (True or False)"}
BOOLEANS = ("t", "true", "1", "f", "false", "0")
# What Airflow declares as a string and its default does not give away: this may also be non-sensitive-only.
STRINGS = {("webserver", "expose_config")}
# A number of proxies.
NO_PORTS = {("webserver", "proxy_fix_x_port")}
# Renames that Airflow 1.10 knew and later versions forgot.
FORGOTTEN = {
    (section, f"{before}{option}"): (section, option, "1.10")
    for section, before, options in (
        ("celery", "celery_", ("broker_url", "result_backend", "ssl_active", "ssl_cert", "ssl_key")),
        (
            "elasticsearch",
            "elasticsearch_",
            ("host", "log_id_template", "end_of_log_mark", "frontend", "write_stdout", "json_format", "json_fields"),
        ),
    )
    for option in options
} | {
    ("celery", "celeryd_concurrency"): ("celery", "worker_concurrency", "1.10"),
    ("webserver", "force_log_out_after"): ("webserver", "session_lifetime_minutes", "1.10"),
    ("webserver", "session_lifetime_days"): ("webserver", "session_lifetime_minutes", "1.10"),
}


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"version", "findings", "sensitive"}`` for ``request["text"]``."""
    rules = installed_rules()
    return {
        "version": rules["version"],
        "findings": findings(request["text"], rules),
        "sensitive": sorted(rules["sensitive"]),
    }


def installed_rules() -> Rules:
    """Return what the installed Airflow and its providers say about their options."""
    from airflow import __version__  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.configuration import conf, retrieve_configuration_description  # noqa: PLC0415

    described = retrieve_configuration_description(include_providers=True)
    options = {section: body["options"] for section, body in described.items()}
    return {
        "version": __version__,
        "options": options,
        "renamed": renamed(conf, options),
        "enums": conf.enums_options,
        "sensitive": {
            (section, name) for section, found in options.items() for name in found if found[name].get("sensitive")
        },
    }


def renamed(conf: Any, options: dict[str, Any]) -> dict[Name, tuple[str, str, str]]:
    """Return for each old (section, option) the newest one and the version that renamed it first."""
    many = [(new, old) for new, olds in conf.many_to_one_deprecated_options.items() for old in olds]
    moved = [
        ((new, option), (old, option, since))
        for new, (old, since) in conf.deprecated_sections.items()
        for option in options.get(new, ())
    ]
    found = {old[:2]: (*new, old[2]) for new, old in [*conf.deprecated_options.items(), *many, *moved]}
    found = {**FORGOTTEN, **found}
    for old, (section, option, since) in found.items():
        newest: Name = (section, option)
        while newest in found:
            newest = found[newest][:2]
        found[old] = (*newest, since)
    return found


def findings(text: str, rules: Rules) -> list[str]:
    """Return one sentence for each thing in ``text`` that Airflow would refuse, ignore or read differently."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # Airflow's parser keeps the case, too
    try:
        parser.read_string(text)
    except configparser.Error as error:
        return [_unreadable(error)]
    names = [(section, option) for section in parser.sections() for option in parser.options(section)]
    found = [sentence for name in names for sentence in _judge(parser, name, rules)]
    return list(dict.fromkeys(found + _missing_key(names)))


def _judge(parser: configparser.ConfigParser, name: Name, rules: Rules) -> list[str]:
    wrong_name = name_finding(name, rules)
    if wrong_name:
        return [wrong_name]
    try:
        value = parser.get(*name)
    except configparser.InterpolationError:
        return [f"{_label(name)} has a % that is not doubled; write %%."]
    # As Airflow does, which calls the same two functions.
    expanded = os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111
    wrong_value = value_finding(name, value, expanded, rules)
    return [wrong_value] if wrong_value else []


def name_finding(name: Name, rules: Rules) -> str | None:
    """Return what is wrong with the name of an option, as a sentence."""
    section, option = name
    version, sections = rules["version"], rules["options"]
    if option != option.lower():
        return f"{_label(name)} is ignored by Airflow, which reads lower case only; write {option.lower()}."
    new_section, new_option, since = rules["renamed"].get(name, ("", "", ""))
    if new_option in sections.get(new_section, {}):
        return f"{_label(name)} has another name since Airflow {since}; write {_label((new_section, new_option))}."
    if section in OPEN_SECTIONS:
        return None
    if section not in sections:
        return f"[{section}] is not a section of Airflow {version}{_nearest(section, list(sections), '[{}]')}"
    if option in sections[section] or _base_name(name) in rules["sensitive"]:
        return None
    return f"{_label(name)} is not an option of Airflow {version}{_better_place(name, sections)}"


def _base_name(name: Name) -> Name:
    # Of sensitive options only, Airflow reads option_cmd and option_secret too.
    section, option = name
    stem, _, suffix = option.rpartition("_")
    return (section, stem) if suffix in ("cmd", "secret") else name


def _better_place(name: Name, sections: dict[str, Any]) -> str:
    section, option = name
    homes = [other for other, options in sections.items() if option in options]
    return f"; it belongs to [{homes[0]}]." if homes else _nearest(option, list(sections[section]), "{}")


def _nearest(name: str, known: list[str], form: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {form.format(near[0])}?)." if near else "."


def value_finding(name: Name, value: str, expanded: str, rules: Rules) -> str | None:
    """Return what is wrong with the value of an option, which Airflow reads as ``expanded``, as a sentence."""
    if name == ("core", "fernet_key") and not _is_fernet_key(value):
        return f"{_label(name)} is not a Fernet key (32 bytes in url-safe base64)."
    if name in rules["sensitive"]:
        expands = f"{_label(name)} has a $NAME or ~ that Airflow would expand; choose another."
        return expands if expanded != value else None
    allowed = rules["enums"].get(name, [])
    if allowed and value and expanded not in allowed:
        return f"{_label(name)} is {value!r}; it must be one of {', '.join(filter(None, allowed))}."
    option = rules["options"].get(name[0], {}).get(name[1], {})
    kind = None if value == option.get("default") else value_type(name, option)  # empty may stand for "no limit"
    if kind and not _is_of_kind(kind, expanded):
        return f"{_label(name)} is {value!r}; it must be {TYPES[kind]}."
    if kind == "integer" and _is_port(name) and not 1 <= int(expanded) <= 65535:
        return f"{_label(name)} is {value!r}; it must be a port from 1 to 65535."
    return None


def _is_port(name: Name) -> bool:
    return name[1].endswith("_port") and name not in NO_PORTS


def value_type(name: Name, option: Mapping[str, Any]) -> str | None:
    """Return the type that a value must have, None where any text will do."""
    # Airflow 2 declares many integers and booleans as strings, parallelism and load_examples among them; their default
    # gives them away.
    if option.get("type") == "string":
        default = str(option.get("default"))
        if default.lower() in ("true", "false"):
            return None if name in STRINGS else "boolean"
        return "integer" if default.lstrip("-").isdigit() else None
    return option.get("type") if option.get("type") in TYPES else None


def _is_of_kind(kind: str, value: str) -> bool:
    if kind == "boolean":
        return value.partition("#")[0].strip().lower() in BOOLEANS
    try:
        int(value) if kind == "integer" else float(value)
    except ValueError:
        return False
    return True


def _is_fernet_key(value: str) -> bool:
    try:
        return all(len(base64.urlsafe_b64decode(part.strip())) == 32 for part in value.split(","))
    except ValueError:
        return False


def _missing_key(names: list[Name]) -> list[str]:
    keys = [name for name in names if name[0] == "core" and name[1].startswith("fernet_key")]
    return [] if keys else ["[core] fernet_key is missing; Airflow would store every password in clear."]


def _unreadable(error: configparser.Error) -> str:
    # The parser's own message quotes the line, which may hold a secret.
    line = getattr(error, "lineno", None)
    place = [f"line {line}"] if line else []
    what = getattr(error, "section", None)
    place += [f"[{what}] {getattr(error, 'option', '')}".rstrip()] if what else []
    return f"The text can't be read as configuration: {' in '.join([type(error).__name__, *place])}."


def _label(name: Name) -> str:
    return f"[{name[0]}] {name[1]}"
