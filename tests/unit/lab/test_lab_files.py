"""Files that the lab writes, and texts of the system that it reads."""

import os
import stat
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from lab import cgroup, disk, host, inventory, keys, machine, network, settings, ssh, vault
from lab.errors import LabError
from lab.hosts import DEFAULT_HOSTS, extra_host, find
from lab.settings import Settings
from lab.state import Made


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return settings.from_environment(
        {"LAB_NAME": "unit", "LAB_NETWORK": "10.5.0.0/24", "LAB_STATE": str(tmp_path / "state")}
    )


def test_every_host_key_is_pinned_under_name_and_address(lab: Settings) -> None:
    keys.admin_key(lab)
    keys.write_ssh_files(lab, DEFAULT_HOSTS)
    lines = keys.known_hosts_file(lab).read_text().splitlines()
    assert len(lines) == len(DEFAULT_HOSTS)
    assert lines[0] == f"mn01p,10.5.0.11 {keys.public(keys.host_key(lab, 'mn01p'))}"
    keys.write_ssh_files(lab, DEFAULT_HOSTS)
    assert keys.known_hosts_file(lab).read_text().splitlines() == lines
    text = lab.ssh_config.read_text()
    assert "Host dn03p\n    HostName 10.5.0.23\n" in text
    assert "StrictHostKeyChecking yes" in text


def test_ssh_socket_paths_are_short_enough() -> None:
    lab = settings.from_environment({"LAB_NAME": "abcdef"})
    # %C is 40 characters; ssh adds 17 while it makes the socket; the kernel's limit is 108 with the final zero.
    assert len(str(lab.runtime / ("c" * 40))) + 17 < 108


def test_hosts_file_names_everybody_but_itself_as_loopback(lab: Settings) -> None:
    text = host.hosts_file(lab, [*DEFAULT_HOSTS, extra_host(1)])
    assert text.startswith("127.0.0.1 localhost\n10.5.0.11 mn01p\n")
    assert text.endswith("10.5.0.41 dn01d\n10.5.0.101 x01\n")
    assert "127.0.1.1" not in text


def test_network_file(lab: Settings) -> None:
    text = host.network_file(lab, find("dn01p"))
    assert "Address=10.5.0.21/24\nGateway=10.5.0.1\n" in text


def test_nspawn_enters_the_cgroup_first(lab: Settings) -> None:
    command = host.nspawn_command(lab, "dn01p", [Path("/cg/u"), Path("/cg/s")], Path("/root"))
    assert command[:5] == ["sh", "-c", host.ENTER_AND_RUN, "sh", "/cg/u /cg/s"]
    assert {"--machine=unit-dn01p", "--hostname=dn01p", "--network-bridge=br-unit", "--keep-unit"} <= set(command)


def test_inventory(lab: Settings) -> None:
    inventory.write(lab, [extra_host(1), extra_host(2)])
    folder = lab.inventory
    dev = yaml.safe_load((folder / "dev.yml").read_text())
    assert dev == {"dev": {"hosts": {"mn01d": {"ansible_host": "10.5.0.31"}, "dn01d": {"ansible_host": "10.5.0.41"}}}}
    assert list(yaml.safe_load((folder / "prod.yml").read_text())["prod"]["hosts"]) == [
        one.name for one in DEFAULT_HOSTS if one.environment == "prod"
    ]
    assert set(yaml.safe_load((folder / "extra.yml").read_text())["extra"]["hosts"]) == {"x01", "x02"}
    login = yaml.safe_load((folder / "group_vars/prod/ansible.yml").read_text())
    assert login["ansible_user"] == "mbsadmin"
    assert f"UserKnownHostsFile={keys.known_hosts_file(lab)}" in login["ansible_ssh_common_args"]
    assert yaml.safe_load((folder / "group_vars/extra/ansible.yml").read_text())["ansible_become"] is True


def test_secrets_are_made_once_and_private(lab: Settings) -> None:
    inventory.write(lab, [])
    files = [lab.inventory / "group_vars" / name / "vault.yml" for name in ("prod", "dev")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    inventory.write(lab, [])
    assert [file.read_text(encoding="utf-8") for file in files] == texts
    assert all(text.startswith("$ANSIBLE_VAULT;1.1;AES256\n") for text in texts)
    prod, dev = (vault.read(file, lab.vault_password) for file in files)
    assert prod["metadata_db_password"].startswith("p%@/# 한글:")
    assert set(prod) == set(dev)
    assert not {str(value) for value in prod.values()} & {str(value) for value in dev.values()}
    for values in (prod, dev):
        Fernet(values["airflow_config_fernet_key"])
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in (*files, lab.vault_password))


def test_secrets_that_were_half_made_are_made_anew(lab: Settings) -> None:
    inventory.write(lab, [])
    lab.vault_password.unlink()
    inventory.write(lab, [])
    assert vault.read(lab.inventory / "group_vars/dev/vault.yml", lab.vault_password)["broker_password"]


def test_rules_are_found_again_by_their_mark(lab: Settings) -> None:
    wanted = network.wanted_rules(lab)
    listing = "-P POSTROUTING ACCEPT\n" + "".join(f"-A {chain} {' '.join(rule)}\n" for _, chain, rule in wanted)
    listing += '-A FORWARD -s 10.9.0.0/24 -m comment --comment "airflow-ops-lab:unit2" -j ACCEPT\n'
    found = network.marked_rules("nat", listing, "airflow-ops-lab:unit")
    assert [(chain, rule) for _, chain, rule in found] == [(chain, rule) for _, chain, rule in wanted]


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        pytest.param("1 2 0:3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", ["/sys/fs/cgroup"], id="unified"),
        pytest.param(
            "1 2 0:3 / /c/memory rw - cgroup cgroup rw,memory\n"
            "1 2 0:3 / /c/systemd rw - cgroup cgroup rw,name=systemd\n"
            "1 2 0:3 / /c/unified rw shared:1 - cgroup2 cgroup2 rw",
            ["/c/unified", "/c/systemd"],
            id="hybrid",
        ),
        pytest.param("1 2 0:3 / /c/memory rw - cgroup cgroup rw,memory", [], id="neither"),
    ],
)
def test_cgroup_hierarchies(mountinfo: str, expected: list[str]) -> None:
    assert [str(path) for path in cgroup.hierarchies(mountinfo)] == expected


def test_mounts_are_taken_last_first() -> None:
    text = "1 0 0:1 / /s/a rw - ext4 x rw\n2 0 0:1 / /s/ab rw - ext4 x rw\n3 0 0:1 / /s/a/root rw - overlay x rw\n"
    assert disk.mounts_below(text, Path("/s/a")) == [Path("/s/a/root"), Path("/s/a")]


def test_only_ssh_clients_are_ended() -> None:
    listing = 'ESTAB 0 0 10.5.0.1:4 10.5.0.11:22 users:(("ssh",pid=7,fd=3))\n'
    listing += 'ESTAB 0 0 10.5.0.1:5 10.5.0.11:8080 users:(("curl",pid=8,fd=5))\n'
    assert ssh.clients(listing) == [7]


def test_machine_is_refused_in_one_sentence() -> None:
    with pytest.raises(LabError, match="run by root"):
        machine.check_root(1000)
    machine.check_root(0)
    with pytest.raises(LabError, match=r"systemd-nspawn; .* `apt-get install systemd-container`"):
        machine.check_programs(lambda name: None if name == "systemd-nspawn" else name)


def test_a_host_whose_tree_is_gone_is_refused(lab: Settings, tmp_path: Path) -> None:
    made = Made("node", [str(tmp_path / "gone")])
    with pytest.raises(LabError, match=r"gone; run `lab destroy dn01p`"):
        host.prepare(lab, find("dn01p"), made, DEFAULT_HOSTS)


def test_uptime_of_this_process() -> None:
    assert 0 <= host.uptime(os.getpid()) < 3600 * 24
