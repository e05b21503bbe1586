"""How new hosts are made, and that existing ones stay as they are."""

from pathlib import Path

import pytest

from lab import cluster, hosts, image, settings, state
from lab.errors import LabError
from lab.settings import Settings
from lab.state import Made, Record


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lab that has dn01d with a layer of an older tree, and trees that are all built."""

    def built(cache: Path, layers: set[str], say: cluster.Say) -> dict[str, list[Path]]:
        return {"": [Path("/base")]} | {layer: [Path(f"/{layer}"), Path("/base")] for layer in layers}

    monkeypatch.setattr(image, "lower_folders", built)
    own = settings.from_environment({"LAB_NAME": "unit", "LAB_STATE": str(tmp_path)})
    state.save(own, Record(str(own.network), {"dn01d": Made("node", ["/old", "/oldbase"])}))
    return own


@pytest.mark.parametrize(
    ("name", "bare", "made"),
    [
        pytest.param("mn01d", False, Made("metadata", ["/metadata", "/base"]), id="with its layer"),
        pytest.param("mn01d", True, Made("", ["/base"]), id="bare"),
        pytest.param("x01", False, Made("", ["/base"]), id="plain hosts have no layer"),
        pytest.param("dn01d", False, Made("node", ["/old", "/oldbase"]), id="an existing host keeps its tree"),
    ],
)
def test_plan(lab: Settings, name: str, bare: bool, made: Made) -> None:
    assert cluster.plan(lab, [hosts.find(name)], bare, print).hosts[name] == made
    assert state.load(lab).hosts[name] == made


def test_an_existing_host_cannot_become_bare(lab: Settings) -> None:
    with pytest.raises(LabError, match=r"dn01d has layer node; `lab destroy dn01d`"):
        cluster.plan(lab, [hosts.find("x01"), hosts.find("dn01d")], True, print)
    assert set(state.load(lab).hosts) == {"dn01d"}


def test_extras_are_in_order() -> None:
    record = Record("10.0.0.0/24", {name: Made("", []) for name in ("x11", "mn01p", "x02")})
    assert [one.name for one in cluster.extras(record)] == ["x02", "x11"]
