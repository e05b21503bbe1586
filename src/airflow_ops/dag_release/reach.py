"""Which files of a tree name something above it: what lies beside the dags folder is no part of a release.

Found by reading, not by running: paths made from __file__ or the dags folder by the means of os.path and pathlib.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from airflow_ops.dag_release.agent.tree import NEIGHBOURS

# Only files that hold both are read in full.
BEGINS = re.compile(rb"__file__|DAGS_FOLDER|dags_folder|\.\./")
CLIMBS = re.compile(rb"\.\.|dirname|parent|split")
# The begin of a text into which a path is filled, and what follows up to the next gap.
FILLED = re.compile(r"(?:%s|\{(\w*)\})(/[^%{]*)")
IN_TEXT = re.compile(r"(?:^|(?<=[\s='\"]))\.\./[^\s'\";,]*")
UNCHANGED = frozenset(
    {"Path", "PurePath", "abspath", "absolute", "as_posix", "expanduser", "fspath", "normpath", "realpath"}
)
UNCHANGED |= {"resolve", "str"}


class Reach(NamedTuple):
    """A path above the tree that a file names."""

    file: str
    line: int
    path: str  # relative to the tree

    @property
    def name(self) -> str | None:
        """What it is beside the dags folder: empty for the folder above itself, None for what lies farther away."""
        parts = self.path.split("/")[1:]
        return None if parts[:1] == [".."] else "".join(parts[:1])


def above(files: Mapping[str, Path]) -> list[Reach]:
    """Return what the Python files of a tree name above it."""
    found = []
    for name, path in files.items():
        if name.endswith(".py") and not name.startswith(f"{NEIGHBOURS}/") and path.is_file():
            text = path.read_bytes()
            if BEGINS.search(text) and CLIMBS.search(text):
                found += in_file(name, text)
    return found


def in_file(name: str, text: bytes) -> list[Reach]:
    """Return what one file names above its tree; one that does not compile, or nests too deep, names nothing."""
    reader = Reader(name)
    try:
        with warnings.catch_warnings(action="ignore"):
            module = ast.parse(text)
        reader.learn(module)
        found = list(reader.paths(module))
    except (SyntaxError, ValueError, RecursionError):
        return []
    reached = {path: line for path, line in reversed(found) if path.split("/")[0] == ".."}
    deeper = {path.split("/")[0] for path in reached if path != ".."}
    return [Reach(name, line, path) for path, line in sorted(reached.items()) if path != ".." or not deeper]


class Reader:
    """Works out the paths in a file, relative to the tree, as far as they follow from where the file lies."""

    def __init__(self, name: str) -> None:
        self.name, self.known = name, dict[str, str]()

    def learn(self, module: ast.Module) -> None:
        """Learn what names stand for; one that is given two paths stands for the last."""
        for node in ast.walk(module):
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or not node.value:
                continue
            if (path := self.path(node.value)) is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self.known |= {target.id: path for target in targets if isinstance(target, ast.Name)}

    def paths(self, node: ast.AST) -> Iterator[tuple[str, int]]:
        """Yield the widest expressions that are paths, and paths in texts, with their lines."""
        if isinstance(node, ast.expr) and not isinstance(node, ast.Name) and (path := self.path(node)) is not None:
            yield path, node.lineno
            return
        if isinstance(node, ast.Name) and node.id in self.known and isinstance(node.ctx, ast.Load):
            yield self.known[node.id], node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for written in IN_TEXT.findall(node.value):
                yield os.path.normpath(f"{self.name}/../{written}"), node.lineno
        for child in ast.iter_child_nodes(node):
            yield from self.paths(child)

    def path(self, node: ast.expr) -> str | None:
        """Return the path that an expression stands for, None when it is none or unknown."""
        ways: dict[type[ast.AST], Callable[[Any], str | None]] = {
            ast.Name: lambda name: self.name if name.id == "__file__" else self.known.get(name.id),
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.Subscript: self._parents,
            ast.BinOp: self._operation,
            ast.JoinedStr: lambda text: self._joined(*text.values),
            ast.FormattedValue: lambda text: self.path(text.value),
        }
        way = ways.get(type(node))
        return way(node) if way else None

    def _attribute(self, node: ast.Attribute) -> str | None:
        if node.attr == "DAGS_FOLDER":
            return "."
        base = self.path(node.value)
        return parent(base) if node.attr == "parent" and base is not None else None

    def _call(self, node: ast.Call) -> str | None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [value.value for value in node.args if isinstance(value, ast.Constant)]
        if name == "get" and [str(value).lower() for value in values[:2]] == ["core", "dags_folder"]:
            return "."
        if name == "format" and isinstance(node.func, ast.Attribute):
            return self._filled(node.func.value, node.args, node.keywords)
        base = self.path(node.func.value) if isinstance(node.func, ast.Attribute) else None
        parts = node.args if base is None else [node.func.value, *node.args]  # type: ignore[attr-defined]
        if name in ("join", "joinpath", "Path", "PurePath"):
            return self._joined(*parts)
        base = self.path(parts[0]) if parts else None
        if name == "dirname" and base is not None:
            return parent(base)
        return base if name in UNCHANGED else None

    def _operation(self, node: ast.BinOp) -> str | None:
        if isinstance(node.op, ast.Mod):
            return self._filled(node.left, node.right.elts if isinstance(node.right, ast.Tuple) else [node.right])
        return self._joined(node.left, node.right) if isinstance(node.op, (ast.Div, ast.Add)) else None

    def _filled(self, text: ast.expr, values: Iterable[ast.expr], named: Iterable[ast.keyword] = ()) -> str | None:
        """Return the path with which a text begins once values are put into its gaps."""
        found = FILLED.match(str(getattr(text, "value", "")))
        given = {str(number): value for number, value in enumerate(values)}
        given |= {each.arg: each.value for each in named if each.arg}
        first = given.get(found[1] or "0") if found else None
        return self._joined(first, ast.Constant(found[2])) if found and first else None

    def _parents(self, node: ast.Subscript) -> str | None:
        if not (isinstance(node.value, ast.Attribute) and node.value.attr == "parents"):
            return None
        base, index = self.path(node.value.value), getattr(node.slice, "value", None)
        if base is None or not isinstance(index, int):
            return None
        for _ in range(index + 1):
            base = parent(base)
        return base

    def _joined(self, *nodes: ast.expr) -> str | None:
        base = self.path(nodes[0]) if nodes else None
        if base is None:
            return None
        for node in nodes[1:]:
            part = ".." if getattr(node, "attr", "") == "pardir" else getattr(node, "value", None)
            if not isinstance(part, str):
                break  # what follows is known only at run time
            base = os.path.normpath(f"{base}/{part}")
        return base


def parent(path: str) -> str:
    """Return the folder of a path."""
    return os.path.normpath(f"{path}/..")
