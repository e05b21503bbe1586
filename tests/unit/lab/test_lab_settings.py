"""Settings, names and addresses of a lab."""

import ipaddress
from pathlib import Path

import pytest

from lab import hosts, settings, state
from lab.errors import LabError
from lab.state import Made, Record


def test_defaults() -> None:
    lab = settings.from_environment({})
    assert (lab.name, str(lab.network), lab.bridge, str(lab.gateway)) == ("lab", "10.77.0.0/24", "br-lab", "10.77.0.1")
    assert lab.state == Path("/var/lib/airflow-ops-lab/lab")
    assert lab.inventory == settings.REPOSITORY / "lab/inventory"
    assert lab.network_is_default


def test_another_lab_keeps_its_inventory_with_its_state() -> None:
    lab = settings.from_environment({"LAB_NAME": "ci2", "LAB_NETWORK": "10.9.0.0/16", "LAB_CACHE": ""})
    assert lab.state == Path("/var/lib/airflow-ops-lab/ci2")
    assert lab.inventory == lab.state / "inventory"
    assert lab.cache == Path("/var/cache/airflow-ops-lab")
    assert not lab.network_is_default


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({"LAB_NAME": "toolong"}, "LAB_NAME is 'toolong'", id="name too long"),
        pytest.param({"LAB_NAME": "My"}, "LAB_NAME is 'My'", id="capital"),
        pytest.param({"LAB_NAME": "a/b"}, "LAB_NAME is 'a/b'", id="path in name"),
        pytest.param({"LAB_NETWORK": "10.1"}, "not an IPv4 network", id="no network"),
        pytest.param({"LAB_NETWORK": "10.1.1.1/24"}, "not an IPv4 network", id="host bits"),
        pytest.param({"LAB_NETWORK": "10.1.1.0/28"}, "/24 or a larger", id="network too small"),
        pytest.param({"LAB_STATE": "here"}, "LAB_STATE is 'here'", id="relative folder"),
        pytest.param({"LAB_STATE": "/"}, "LAB_STATE is '/'", id="root folder"),
        pytest.param({"LAB_CACHE": "/a:b"}, "LAB_CACHE is '/a:b'", id="colon in folder"),
    ],
)
def test_bad_settings_are_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=r"^[^\n]*$") as caught:
        settings.from_environment(environment)
    assert said in str(caught.value)


def test_names_fit_into_the_kernels_interface_names() -> None:
    lab = settings.from_environment({"LAB_NAME": "abcdef"})
    for host in hosts.DEFAULT_HOSTS:
        assert len(lab.port(host.name)) <= 15
    assert lab.port("mn01p") == "vb-abcdef-mn01p"


def test_addresses_differ_and_leave_the_gateway_alone() -> None:
    network = ipaddress.IPv4Network("10.77.0.0/24")
    everybody = [*hosts.DEFAULT_HOSTS, *(hosts.extra_host(number) for number in range(1, 65))]
    addresses = {host.address(network) for host in everybody}
    assert len(addresses) == len(everybody)
    assert "10.77.0.1" not in addresses


@pytest.mark.parametrize(
    ("names", "extra", "chosen"),
    [
        pytest.param([], 0, "mn01p mn02p dn01p dn02p dn03p mn01d dn01d", id="all by default"),
        pytest.param(["dn01d", "mn01d"], 0, "dn01d mn01d", id="named"),
        pytest.param([], 3, "x01 x02 x03", id="extra alone"),
        pytest.param(["mn02p", "x02"], 2, "mn02p x02 x01", id="both, each once"),
    ],
)
def test_choice_of_hosts(names: list[str], extra: int, chosen: str) -> None:
    assert [host.name for host in hosts.choose(names, extra)] == chosen.split()


@pytest.mark.parametrize("name", ["mn09p", "x00", "x1", "x007", "dn01p.lab", ""])
def test_unknown_hosts_are_refused(name: str) -> None:
    with pytest.raises(LabError, match=f"no host '{name}'"):
        hosts.find(name)


def test_too_many_extra_hosts_are_refused() -> None:
    with pytest.raises(LabError, match="no room for host x155"):
        hosts.extra_host(155).address(ipaddress.IPv4Network("10.77.0.0/24"))
    with pytest.raises(LabError, match="--extra is -1"):
        hosts.choose([], -1)


def test_the_recorded_network_wins_unless_another_was_asked_for(tmp_path: Path) -> None:
    made = settings.from_environment({"LAB_STATE": str(tmp_path), "LAB_NETWORK": "10.5.0.0/24"})
    state.save(made, Record(str(made.network), {"mn01p": Made("metadata", ["/cache/a", "/cache/b"])}))
    assert state.load(made).hosts["mn01p"].lower == ["/cache/a", "/cache/b"]
    assert state.agree(settings.from_environment({"LAB_STATE": str(tmp_path)})).network == made.network
    other = settings.from_environment({"LAB_STATE": str(tmp_path), "LAB_NETWORK": "10.6.0.0/24"})
    with pytest.raises(LabError, match="was made with network"):
        state.agree(other)
