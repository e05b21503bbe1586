"""Keys of trees and layers, and what is read from the outer machine's apt."""

from pathlib import Path

import pytest

from lab import apt, hosts, image, tree
from lab.apt import Sources
from lab.errors import LabError

DEB822 = """\
# comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        pytest.param("debian.sources", DEB822, "http://mirror.example/debian", id="deb822"),
        pytest.param("a.sources", DEB822.replace("Types: deb", "Enabled: no\nTypes: deb"), "", id="switched off"),
        pytest.param("a.sources", DEB822.replace("Types: deb", "Types: deb-src"), "", id="sources only"),
        pytest.param("b.list", "deb http://m.example/d bookworm main contrib\n", "http://m.example/d", id="one line"),
        pytest.param("b.list", "deb [signed-by=/k] http://m.ex/d bookworm main", "http://m.ex/d", id="options"),
        pytest.param("b.list", "#deb http://m.example/d bookworm main\n", "", id="commented out"),
        pytest.param("c.list", "deb https://other.example/apt sdk-bookworm main\n", "", id="another vendor"),
        pytest.param("c.list", "deb http://m.example/d bookworm-security main\n", "", id="updates only"),
    ],
)
def test_mirror_is_read_from_sources(name: str, text: str, mirror: str) -> None:
    assert apt.mirror_of(name, text, "bookworm") == mirror


def test_only_needed_settings_go_to_hosts() -> None:
    dump = 'Acquire::Check-Date "false";\nAcquire::cdrom "";\nAcquire::Languages "";\nAcquire::Languages:: "none";\n'
    assert apt.settings(dump) == 'Acquire::Check-Date "false";\nAcquire::Languages "";\nAcquire::Languages:: "none";\n'


def test_sources_of_another_distribution_are_refused(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=fedora\n")
    with pytest.raises(LabError, match="ID=fedora"):
        apt.outer_sources(tmp_path)


def test_keys_change_with_content(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources("bookworm", "http://m.example/d", {"a.list": "deb"}, "")
    base = image.base_key(sources)
    layer = image.layer_key("node", base)
    assert image.base_key(Sources("bookworm", "http://m.example/d", {"a.list": "deb"}, "")) == base
    assert image.base_key(Sources("trixie", "http://m.example/d", {"a.list": "deb"}, "")) != base
    assert image.layer_key("node", "other") != layer
    assert image.layer_key("metadata", base) != layer
    monkeypatch.setitem(tree.LAYERS, "node", ("libmariadb3", "more"))
    assert image.layer_key("node", base) != layer
    monkeypatch.setattr(tree, "BASE_PACKAGES", (*tree.BASE_PACKAGES, "vim"))
    assert image.base_key(sources) != base


def test_every_host_has_a_layer_that_exists() -> None:
    assert {host.layer for host in hosts.DEFAULT_HOSTS} == set(tree.LAYERS)
