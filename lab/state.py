"""The record of a lab: its network and how each of its hosts was made."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lab.errors import LabError
from lab.settings import Settings


@dataclass(frozen=True)
class Made:
    """How a host was made: with which layer ('' for none), on which overlayfs lower folders, topmost first."""

    layer: str
    lower: list[str]


@dataclass
class Record:
    """The contents of lab.json."""

    network: str
    hosts: dict[str, Made] = field(default_factory=dict)


def load(settings: Settings) -> Record:
    """Read the record; a lab that does not exist yet has an empty one."""
    file = _file(settings)
    if not file.exists():
        return Record(str(settings.network))
    data = json.loads(file.read_text(encoding="utf-8"))
    return Record(data["network"], {name: Made(**made) for name, made in data["hosts"].items()})


def save(settings: Settings, record: Record) -> None:
    """Write the record, whole or not at all."""
    file = _file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    partial.rename(file)


def agree(settings: Settings) -> Settings:
    """Return the settings with the network the lab was made with; another one that was asked for is refused."""
    recorded = ipaddress.IPv4Network(load(settings).network)
    if recorded == settings.network:
        return settings
    if settings.network_is_default:
        return replace(settings, network=recorded)
    raise LabError(
        f"Lab '{settings.name}' was made with network {recorded}, LAB_NETWORK is {settings.network}; "
        "unset it, or run `lab destroy` first."
    )


def _file(settings: Settings) -> Path:
    return settings.state / "lab.json"
