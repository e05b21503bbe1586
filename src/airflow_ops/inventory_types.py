"""Whether the values of an inventory have the types that the argument specs declare, all the way down.

Narrower than Ansible, which makes text of a list and splits text at commas: what passes here passes in every role, so
no role complains host by host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from airflow_ops.inventory_model import LATER, SECRETS, Environment, Input


def wrong_types(environment: Environment) -> dict[str, list[str]]:
    """Return the variables whose values have not the type or are not among the choices that the argument specs declare.

    Each comes with its findings; what else rules say of such a value would only repeat them.
    """
    given = dict.fromkeys(name for host in environment.hosts for name in sorted(host.given))
    given.pop("airflow_environment", None)  # whatever it is, it is compared with the groups of the hosts
    found: dict[str, list[str]] = {}
    for name in given:
        declared = environment.inventory.inputs.get(name)
        for value, where in environment.values(name) if declared else ():
            for words in misfits(name, declared, value) if declared else ():
                found.setdefault(name, []).append(f"{words}{where}: correct it in {environment.file(name)}.")
    return found


def misfits(path: str, declared: Input, value: object) -> Iterator[str]:
    """Yield what is wrong with a value; ``path`` is the variable and what leads to the value in it."""
    secret = path in SECRETS
    if value is LATER:
        return
    if value is None:
        if declared.default and declared.kind != "raw":
            yield f"{path} is empty, give it {EMPTY.get(declared.kind, 'a value')} or remove the line"
    elif not KINDS[declared.kind](value) or (secret and declared.kind == "str" and not isinstance(value, str)):
        # A password of digits would lose its leading zeros.
        quote = ", quote it" if secret and isinstance(value, int | float) else ""
        shown = not secret and declared.kind in ("int", "float", "bool") and isinstance(value, str | int | float)
        yield f"{path} must be {NOUNS[declared.kind]}, it is {repr(value) if shown else noun(value)}{quote}"
    elif isinstance(value, list):
        # An entry is never null.
        each = Input(declared.elements or "raw", declared.choices, default=True, options=declared.options)
        for number, item in enumerate(value):
            yield from misfits(f"{path}[{number}]", each, item)
    elif isinstance(value, dict):
        yield from _wrong_keys(path, declared, value)
    elif declared.choices and str(value) not in declared.choices and not secret:
        yield f"{path} is {value!r} and may be {' or '.join(declared.choices)}"


def _wrong_keys(path: str, declared: Input, value: dict[str, object]) -> Iterator[str]:
    if not declared.options:
        return
    for key, part in value.items():
        if key in declared.options:
            yield from misfits(f"{path}.{key}", declared.options[key], part)
        else:
            near = get_close_matches(str(key), declared.options, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            yield f"{path} has {key!r}, which no role knows{hint}"
    for key, option in declared.options.items():
        if option.required and value.get(key) is None:
            yield f"{path} lacks {key}"


def _is_int(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.removeprefix("-").isdecimal()
    )


def _is_float(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return _is_int(value) or isinstance(value, float)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or str(value).lower() in ("true", "false", "yes", "no")


def _is_text(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


KINDS: dict[str, Callable[[object], bool]] = {
    "str": _is_text,
    "path": lambda value: isinstance(value, str),
    "int": _is_int,
    "float": _is_float,
    "bool": _is_bool,
    "list": lambda value: isinstance(value, list),
    "dict": lambda value: isinstance(value, dict),
    "raw": lambda _: True,
}
EMPTY = {"list": "[]", "dict": "{}"}
NOUNS = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
}


def noun(value: object) -> str:
    """Return what a value is, as people say it."""
    if isinstance(value, bool):
        return NOUNS["bool"]
    for kind in (int, float, str, list, dict):
        if isinstance(value, kind):
            return NOUNS[kind.__name__]
    return type(value).__name__
