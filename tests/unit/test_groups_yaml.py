"""The reader of hosts.yml and topology.yml: what Ansible's own reads, and one sentence for what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader

ROOT = Path(__file__).parents[2]


def read(path: Path) -> InventoryData:
    """Return what the reader makes of a file."""
    inventory_loader.add_directory(str(ROOT / "inventory_plugins"))
    reader = inventory_loader.get("groups_yaml")
    assert reader.verify_file(str(path))
    data = InventoryData()
    reader.parse(data, DataLoader(), str(path))
    return data


def test_groups_hosts_and_variables_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("dev:\n  hosts:\n    a: {ansible_host: 192.0.2.1}\nmore:\n  children: {dev: {}}\n")
    data = read(tmp_path / "x.yml")
    assert data.hosts["a"].vars["ansible_host"] == "192.0.2.1"
    assert {group.name for group in data.hosts["a"].get_groups()} >= {"more", "dev"}


@pytest.mark.parametrize("text", ["", "---\n# nothing\n"])
def test_a_file_without_content_holds_no_hosts(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yml").write_text(text)
    assert not read(tmp_path / "x.yml").hosts


def test_a_file_of_another_reader_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("plugin: constructed\n")
    with pytest.raises(AnsibleParserError, match="is for another reader"):
        read(tmp_path / "x.yml")


BAD = {
    "tab": ("dev:\n\thosts: {}\n", "x.yml:2 cannot be read (Tabs are usually invalid in YAML): indent with blanks, not "
            "with tabs."),
    "host twice": (
        "dev:\n  hosts:\n    a: {}\n    a: {}\n",
        "x.yml:4 cannot be read (Found duplicate mapping key): keep one of the two.",
    ),
    "group twice": (
        "dev:\n  hosts: {a: {}}\ndev:\n  hosts: {b: {}}\n",
        "x.yml:3 cannot be read (Found duplicate mapping key): keep one of the two.",
    ),
    "list": ("- dev\n", "x.yml holds no groups: write each as a line `name:` with its `hosts:` below."),
    "hosts as a list": (
        "dev: {hosts: [a]}\n",
        'x.yml cannot be read (Invalid "hosts" entry for "dev" group, requires a dictionary, found a list instead): '
        "correct it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yml").write_text(text)
    with pytest.raises(SystemExit) as raised:
        read(tmp_path / "x.yml")
    assert raised.value.code == 4
    told = " ".join(capsys.readouterr().err.split())
    assert told == f"[ERROR]: {sentence} No host was touched."
