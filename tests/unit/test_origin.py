"""Files of an inventory that Ansible cannot read are told by file, line and what helps, without what stands in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret

from airflow_ops.inventory_model import VAULT_FIX
from airflow_ops.origin import place, unreadable
from lab import vault

TEXTS = {
    "tab": ("a:\n\tb: 1\n", ":2 cannot be read (Tabs are usually invalid in YAML): indent with blanks, not with tabs."),
    "braces": (
        "a: {{ SECRET }}\n",
        ":1 cannot be read (This may be an issue with missing quotes around a template block): "
        "put a value that begins with {{ into quotes.",
    ),
    "colon": (
        "a: b\nc: SECRET: d\n",
        ":2 cannot be read (Colons in unquoted values must be followed by a non-space character): "
        "put a value that holds a colon and a blank into quotes.",
    ),
    "tag": (
        "a: !SECRET x\n",
        ":1 cannot be read (Could not determine a constructor for the tag): put a value that begins with ! into "
        "quotes.",
    ),
    "alias": (
        "a: *SECRET\n",
        ":1 cannot be read (Found undefined alias): put a value that begins with * or & into quotes.",
    ),
    "open quote": (
        "a: 'SECRET\n",
        ":2 cannot be read (While scanning a quoted scalar found unexpected end of stream): correct that line.",
    ),
    "vault": (vault.encrypt({"a": "SECRET"}, "right"), f" cannot be decrypted: {VAULT_FIX}."),
}


@pytest.mark.parametrize(("text", "sentence"), TEXTS.values(), ids=TEXTS)
def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yml").write_text(text)
    loader = DataLoader()
    loader.set_vault_secrets([("default", VaultSecret(b"wrong"))])
    with pytest.raises(AnsibleError) as raised:
        try:
            loader.load_from_file(str(tmp_path / "x.yml"))
        except AnsibleError as error:  # as the plugin for group_vars passes it on, without the file
            raise AnsibleParserError(str(error))  # noqa: B904 - that plugin chains no error either
    assert unreadable(raised.value) == f"x.yml{sentence}"


def test_what_holds_no_variables_is_told_by_its_file() -> None:
    error = AnsibleParserError("Could not process '/etc/x.yml': failed to combine variables, expected dicts but got x")
    assert unreadable(error) == "/etc/x.yml holds no variables: write each as a line `name: value`."


def test_the_place_of_a_text_that_ansible_did_not_read_is_unknown() -> None:
    assert place("x") == ""
