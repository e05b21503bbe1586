"""Where a text of the inventory stands, and why a file of it cannot be read: in one sentence, and without a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ansible._internal._datatag._tags import Origin  # Ansible has no public way to ask; its version is locked
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError

from airflow_ops.inventory_model import VAULT_FIX

# What Ansible makes of a line that is no YAML, and what helps.
YAML_FIXES = {
    "duplicate mapping key": "keep one of the two",
    "Tabs": "indent with blanks, not with tabs",
    "missing quotes": "put a value that begins with {{ into quotes",
    "Colons": "put a value that holds a colon and a blank into quotes",
    "constructor for the tag": "put a value that begins with ! into quotes",
    "alias": "put a value that begins with * or & into quotes",
}
NO_VARIABLES = re.compile(r"Could not process '(.+?)': failed to combine variables")
QUOTED = re.compile(r"\s*'[^']*'")


def place(value: object) -> str:
    """Return file:line of a text that Ansible has read, as a path from here where it lies below; '' if unknown."""
    origin = value if isinstance(value, Origin) else Origin.get_tag(value)
    if origin is None or not origin.path:
        return ""
    return f"{relative(origin.path)}:{origin.line_num}" if origin.line_num else relative(origin.path)


def relative(path: str) -> str:
    """Return a path from here where it lies below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def unreadable(error: AnsibleError) -> str:
    """Return in one sentence which file of the inventory cannot be read and what helps."""
    causes = list(_causes(error))
    where = next(filter(None, (place(cause.obj) for cause in causes if isinstance(cause, AnsibleError))), "")
    if any(isinstance(cause, AnsibleVaultError) for cause in causes):
        return f"{where.partition(':')[0] or 'A vault'} cannot be decrypted: {VAULT_FIX}."
    no_variables = NO_VARIABLES.search(str(error))
    if no_variables:
        return f"{relative(no_variables[1])} holds no variables: write each as a line `name: value`."
    # What stands in quotes is text of the file, which may be a secret.
    reason = QUOTED.sub("", str(error).removeprefix("YAML parsing failed: ")).rstrip(".")
    fix = next((fix for words, fix in YAML_FIXES.items() if words in reason), "correct that line")
    return f"{where or 'The inventory'} cannot be read ({reason}): {fix}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
