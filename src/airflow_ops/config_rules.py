"""Rules on what an inventory gives for airflow.cfg, by what the version of Airflow knows of its options.

The Airflow of each host judges the whole file again (module airflow_cfg_file): it knows what further packages bring and
what the host's environment makes of a value. What is told here is told once and before a host is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from airflow_ops import airflow_cfg, cfg_check
from airflow_ops.cfg_check import Name, Rules
from airflow_ops.database_url import charset_mistake, masked_url
from airflow_ops.inventory_model import LATER, Environment, waits

PARAMETERS = "airflow_config_parameters"
SETTINGS = "airflow_config_settings"
LAYERS = (PARAMETERS, SETTINGS, "airflow_config_host_settings")
# Variables that are each the value of one option.
OPTIONS: Mapping[str, Name] = {
    "airflow_config_base_url": ("webserver", "base_url"),
    "airflow_config_https_certificate": ("webserver", "web_server_ssl_cert"),
    "airflow_config_https_key": ("webserver", "web_server_ssl_key"),
    "airflow_config_secret_key": ("webserver", "secret_key"),
    "airflow_config_smtp_host": ("smtp", "smtp_host"),
    "airflow_config_smtp_mail_from": ("smtp", "smtp_mail_from"),
    "airflow_config_smtp_password": ("smtp", "smtp_password"),
    "airflow_config_smtp_ssl": ("smtp", "smtp_ssl"),
    "airflow_config_smtp_starttls": ("smtp", "smtp_starttls"),
    "airflow_config_smtp_user": ("smtp", "smtp_user"),
}
# What of airflow_environment_extra overrules airflow.cfg.
EXTRA = "airflow_environment_extra"
OVERRULING = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
URLS = (("database", "sql_alchemy_conn"), ("core", "sql_alchemy_conn"), ("celery", "result_backend"))


def layers(environment: Environment) -> Iterator[tuple[str, dict[Name, Any], str]]:
    """Yield each variable that sets options with its different values and the hosts that have them.

    Options that are not known yet are left out.
    """
    for variable, name in OPTIONS.items():
        for value, where in environment.values(variable):
            yield variable, {name: value}, where
    for layer in (*LAYERS, EXTRA):
        for value, where in environment.values(layer):
            options = _options(layer, value, environment)
            yield layer, {name: option for name, option in options if not waits(option)}, where


def _options(layer: str, value: Any, environment: Environment) -> Iterator[tuple[Name, Any]]:
    parameters = environment.inventory.parameters
    if layer == EXTRA:
        for variable, text in _mapping(value).items():
            if found := OVERRULING.fullmatch(str(variable)):
                yield (_section(found[1].lower(), environment), found[2].lower()), text
    elif layer == PARAMETERS:
        value = {parameters[name]: option for name, option in _mapping(value).items() if name in parameters}
        for name, option in value.items():
            section, _, short = name.rpartition(".")
            yield (section, short), option
    else:
        for section, options in _mapping(value).items():
            for name, option in _mapping(options).items():
                yield (str(section), str(name)), option


def _section(name: str, environment: Environment) -> str:
    """Return the section that the name of a variable means: Airflow writes _ for a dot, as in [common.io]."""
    rules = _rules(environment)
    return next((known for known in (rules["options"] if rules else ()) if known.replace(".", "_") == name), name)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _rules(environment: Environment) -> Rules | None:
    """Return what the environment's version of Airflow knows, None where there is no table of it."""
    known = environment.inventory.options.get(str(environment.value("airflow_version")))
    return None if known is None else dict(known)


def sections(environment: Environment) -> Iterator[str]:
    """A section is a dictionary of options."""
    for layer in LAYERS[1:]:
        for value, where in environment.values(layer):
            for section, options in _mapping(value).items():
                if options is None:
                    # It would remove all that the deployment needs of the section.
                    yield (
                        f"Section [{section}] of {layer} is empty{where}: "
                        f"write {{}} or remove the line in {environment.file(layer)}."
                    )
                elif not isinstance(options, Mapping) and options is not LATER:
                    yield (
                        f"Section [{section}] of {layer} must be a dictionary of options{where}: "
                        f"correct it in {environment.file(layer)}."
                    )


def parameters(environment: Environment) -> Iterator[str]:
    """A parameter has one of the manual's names; where the name is Airflow's, old or new, its place is told."""
    known = environment.inventory.parameters
    rules = _rules(environment)
    for value, where in environment.values(PARAMETERS):
        for name in map(str, _mapping(value)):
            if known and name not in known:
                yield _unknown(name, known, rules, f"{PARAMETERS}{where}", environment.file(PARAMETERS))


def _unknown(name: str, known: Mapping[str, str], rules: Rules | None, layer: str, file: str) -> str:
    homes = [f"[{section}] {name}" for section, options in rules["options"].items() if name in options] if rules else []
    if homes:
        return f"{layer} takes no {name}: set {' or '.join(homes)} in {SETTINGS} in {file}."
    renamed = [new for (_, old), new in rules["renamed"].items() if old == name] if rules else []
    renamed = [new for new in renamed if rules and new[1] in rules["options"].get(new[0], {})]
    for section, option, since in renamed:
        manual = [short for short, full in known.items() if full == f"{section}.{option}"]
        write = f"write {manual[0]}" if manual else f"set [{section}] {option} in {SETTINGS}"
        return f"{layer} takes no {name}, which has another name since Airflow {since}: {write} in {file}."
    near = get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else f", it takes {', '.join(sorted(known))}"
    return f"{layer} takes no {name}{hint}: correct it in {file}."


def options(environment: Environment) -> Iterator[str]:
    """Options are known to Airflow under that name in that section, and their values can stand in airflow.cfg."""
    for layer, settings, where in layers(environment):
        for name, value in settings.items():
            fault = _fault(name, value, environment) if value is not None else ""
            if fault:
                yield f"{fault.rstrip('.')}{where}: correct {layer} in {environment.file(layer)}."


def _fault(name: Name, value: Any, environment: Environment) -> str:
    section, option = name
    try:
        text = airflow_cfg.texts({section: {option: value}})[section][option]
    except ValueError as error:
        return str(error)
    rules = _rules(environment)
    if rules is None or (section not in rules["options"] and _may_be_further(section, rules, environment)):
        return ""
    wrong_name = cfg_check.name_finding(name, rules)
    if wrong_name or LATER in _used(text, environment):
        return wrong_name or ""
    return cfg_check.value_finding(name, text, expanded(text, environment), rules) or ""


def _may_be_further(section: str, rules: Rules, environment: Environment) -> bool:
    """Say whether a section that Airflow does not know may be one of a further package, not a misspelt one."""
    near = get_close_matches(section.lower(), rules["options"], n=1, cutoff=0.8)
    return bool(environment.value("airflow_install_extra_packages")) and not near


def _used(text: str, environment: Environment) -> list[Any]:
    extra = _mapping(environment.value(EXTRA))
    return [extra.get(found[1] or found[2]) for found in VARIABLE.finditer(text)]


def expanded(text: str, environment: Environment) -> str:
    """Return what Airflow makes of a text: it expands what the environment of the units holds, and a leading ~."""
    extra = _mapping(environment.value(EXTRA))
    known = {"AIRFLOW_HOME": environment.value("airflow_home"), "HOME": "/home", "PATH": "/bin", **extra}
    text = VARIABLE.sub(lambda found: str(known.get(found[1] or found[2], found[0])), text)
    return f"/home{text[1:]}" if text == "~" or text.startswith("~/") else text


def overruling_names(environment: Environment) -> Iterator[str]:
    """A variable that looks as if it set an option does."""
    for value, where in environment.values(EXTRA):
        for variable in map(str, _mapping(value)):
            if variable.upper().startswith("AIRFLOW__") and not OVERRULING.fullmatch(variable):
                yield (
                    f"{EXTRA} has {variable}{where}, which sets no option: write AIRFLOW__SECTION__OPTION, in "
                    f"capitals, in {environment.file(EXTRA)}."
                )


def database_urls(environment: Environment) -> Iterator[str]:
    """A database URL never carries the manual's /charset=, which would name a database."""
    for layer, settings, where in layers(environment):
        for name in URLS:
            correction = charset_mistake(str(settings.get(name) or ""))
            if correction:
                yield (
                    f"{name[1]} in {layer} ends with /charset=, which names a database of that name{where}: "
                    f"write {masked_url(correction)} in {environment.file(layer)}."
                )


def dags_folder(environment: Environment) -> Iterator[str]:
    """Airflow reads the folder that releases go to."""
    releases = environment.value("airflow_dags_folder")
    for layer, settings, where in layers(environment):
        folder = settings.get(("core", "dags_folder"))
        if folder is not None and releases is not None and str(folder) != str(releases):
            yield (
                f"dags_folder in {layer} is {str(folder)!r}{where}, but DAG releases go to {releases}: "
                f"set airflow_dags_folder in {environment.file('airflow_dags_folder')} instead."
            )


def certificate(environment: Environment) -> Iterator[str]:
    """HTTPS has a certificate and a key, or neither."""
    pair = ("airflow_config_https_certificate", "airflow_config_https_key")
    for one, other in (pair, pair[::-1]):
        if environment.value(one) and not environment.value(other):
            yield f"{one} is set without {other}: set both or none in {environment.file(one)}."


CONFIG_RULES: tuple[Callable[[Environment], Iterator[str]], ...] = (
    sections,
    parameters,
    options,
    overruling_names,
    database_urls,
    dags_folder,
    certificate,
)
