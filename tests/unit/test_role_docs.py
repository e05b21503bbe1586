"""The tables of variables in the roles' READMEs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_ops.role_docs import BEGIN, END, main, table, with_table

ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "text": (
        {"type": "str", "default": "hadoop", "description": "The group."},
        "| `x` | str | `hadoop` | The group. |",
    ),
    "required": ({"required": True, "description": ["A.", "B."]}, "| `x` | str | required | A. B. |"),
    "empty text": ({"default": "", "description": "A."}, '| `x` | str | `""` | A. |'),
    "list": (
        {"type": "list", "elements": "str", "default": [], "description": "A."},
        "| `x` | list of str | `[]` | A. |",
    ),
    "bool": ({"type": "bool", "default": True, "description": "A."}, "| `x` | bool | `true` | A. |"),
    "choices and a pipe": (
        {"choices": ["a", "b"], "description": "One | other."},
        "| `x` | str |  | One \\| other. One of `a` or `b`. |",
    ),
    "suboptions": (
        {"type": "list", "elements": "dict", "description": "A.", "options": {"name": {"description": "B."}}},
        "| `x` | list of dict |  | A. |\n| `x[].name` | str |  | B. |",
    ),
}


@pytest.mark.parametrize(("spec", "row"), ROWS.values(), ids=ROWS)
def test_a_row_says_type_default_and_meaning(spec: dict[str, Any], row: str) -> None:
    assert table({"x": spec}).splitlines()[2:] == row.splitlines()


def test_a_role_without_variables_says_so() -> None:
    assert table({}) == "None."


def test_the_table_replaces_what_stands_between_the_markers() -> None:
    text = f"# role\n\n{BEGIN}\nold\n{END}\n\nmore\n"
    assert with_table(text, "new") == f"# role\n\n{BEGIN}\nnew\n{END}\n\nmore\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}"], ids=["none", "one", "wrong order"])
def test_missing_markers_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        with_table(text, "new")


def test_check_changes_nothing_and_fails_until_the_tables_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "broker/README.md"
    (tmp_path / "broker/meta").mkdir(parents=True)
    (tmp_path / "broker/meta/argument_specs.yml").write_text("argument_specs: {main: {options: {x: {type: int}}}}\n")
    readme.write_text(f"{BEGIN}\n{END}\n")
    assert main(["--check", "--roles", str(tmp_path)]) == 1
    assert "out of date" in capsys.readouterr().out
    assert readme.read_text() == f"{BEGIN}\n{END}\n"
    assert main(["--roles", str(tmp_path)]) == 0
    assert main(["--check", "--roles", str(tmp_path)]) == 0
    assert "`x`" in readme.read_text()
