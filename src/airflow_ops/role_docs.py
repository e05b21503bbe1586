"""Write the table of variables of each role's README from its argument specs.

``python -m airflow_ops.role_docs`` rewrites what stands between the markers; ``--check`` only names the files that are
out of date and ends with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

BEGIN = "<!-- argument_specs -->"
END = "<!-- /argument_specs -->"
HEAD = "| variable | type | default | meaning |\n|---|---|---|---|"

Options = Mapping[str, Mapping[str, Any]]


def main(arguments: list[str] | None = None) -> int:
    """Rewrite or check all READMEs below ``--roles``; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the roles' tables of variables from their argument specs.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a table is out of date")
    parser.add_argument("--roles", type=Path, default=Path("roles"), help="folder of the roles (default: roles)")
    chosen = parser.parse_args(arguments)
    stale = [path for path in sorted(chosen.roles.glob("*/README.md")) if _update(path, write=not chosen.check)]
    for path in stale:
        print(f"{path}: {'out of date, run python -m airflow_ops.role_docs' if chosen.check else 'written'}")
    return 1 if stale and chosen.check else 0


def _update(readme: Path, *, write: bool) -> bool:
    old = readme.read_text()
    new = with_table(old, table(options(readme.parent)))
    if write and new != old:
        readme.write_text(new)
    return new != old


def options(role: Path) -> dict[str, Mapping[str, Any]]:
    """Return the options of all entry points of a role, in the order of the spec."""
    entries = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"].values()
    return {name: spec for entry in entries for name, spec in (entry.get("options") or {}).items()}


def with_table(text: str, lines: str) -> str:
    """Return a README with the table between its markers.

    :raises ValueError: when the markers are missing or in the wrong order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README needs the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{lines}\n{END}{after}"


def table(declared: Options) -> str:
    """Return the table of some options, or a sentence where there are none."""
    rows = list(_rows(declared, ""))
    return "\n".join([HEAD, *rows]) if rows else "None."


def _rows(declared: Options, prefix: str) -> Iterator[str]:
    for name, spec in declared.items():
        cells = (f"`{prefix}{name}`", _type(spec), _default(spec), _meaning(spec))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield from _rows(spec.get("options") or {}, f"{prefix}{name}[].")


def _type(spec: Mapping[str, Any]) -> str:
    kind = str(spec.get("type", "str"))
    return f"{kind} of {spec['elements']}" if "elements" in spec else kind


def _default(spec: Mapping[str, Any]) -> str:
    if spec.get("required"):
        return "required"
    value = spec.get("default")
    if value is None:
        return ""
    return f"`{value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)}`"


def _meaning(spec: Mapping[str, Any]) -> str:
    description = spec.get("description", "")
    text = " ".join(str(part) for part in (description if isinstance(description, list) else [description]))
    choices = " or ".join(f"`{choice}`" for choice in spec.get("choices", ()))
    return " ".join(f"{text} {f'One of {choices}.' if choices else ''}".split())


if __name__ == "__main__":
    sys.exit(main())
