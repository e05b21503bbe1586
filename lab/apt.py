"""What the outer machine's apt knows: the mirror, its sources and the settings that hosts need to use them too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.shell import run

# Settings without which apt in a host would not reach the same archive.
SETTINGS = (
    "Acquire::Check-Date",
    "Acquire::Check-Valid-Until",
    "Acquire::http::Proxy",
    "Acquire::https::CaInfo",
    "Acquire::https::Proxy",
    "Acquire::Languages",
)


@dataclass(frozen=True)
class Sources:
    """Where packages come from: release, mirror, and the files (name -> text) that go to the hosts."""

    suite: str
    mirror: str
    files: dict[str, str]
    configuration: str


def outer_sources(etc: Path = Path("/etc")) -> Sources:
    """Read the outer machine's apt configuration; it must be a Debian."""
    release = dict(
        line.split("=", 1) for line in (etc / "os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    if release.get("ID") != "debian":
        raise LabError(f"The lab needs a Debian machine; /etc/os-release says ID={release.get('ID')}.")
    suite = release["VERSION_CODENAME"]
    apt = etc / "apt"
    listed = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    texts = {
        str(path.relative_to(apt)): path.read_text(encoding="utf-8")
        for path in listed
        if path.is_file() and path.suffix in (".list", ".sources")
    }
    files = {name: text for name, text in texts.items() if mirror_of(name, text, suite)}
    mirrors = [mirror_of(name, text, suite) for name, text in files.items()]
    if not mirrors:
        raise LabError(f"No apt source of this machine offers {suite} main; see /etc/apt/sources.list.")
    return Sources(suite, mirrors[0], files, settings(run(["apt-config", "dump"])))


def mirror_of(name: str, text: str, suite: str) -> str:
    """Return the URI that offers ``suite`` main in one sources file, or nothing."""
    for uris, suites, components in _entries(name, text):
        if suite in suites and "main" in components:
            return uris[0]
    return ""


def settings(dump: str) -> str:
    """Return the lines of ``apt-config dump`` that hosts need, as an apt configuration file."""
    wanted = [line for line in dump.splitlines() if re.match(rf"({'|'.join(SETTINGS)})(::)?\b", line)]
    return "".join(f"{line}\n" for line in wanted)


def _entries(name: str, text: str) -> list[tuple[list[str], list[str], list[str]]]:
    """Return (URIs, suites, components) of each active binary source of a file."""
    found = []
    if name.endswith(".list"):
        for line in text.splitlines():
            match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.strip())
            if match:
                found.append(([match[1]], [match[2]], match[3].split()))
        return found
    for stanza in re.split(r"\n\s*\n", text):
        fields = _deb822(stanza)
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            uris, suites, components = (fields.get(key, "").split() for key in ("uris", "suites", "components"))
            found.append((uris, suites, components))
    return [(uris, suites, components) for uris, suites, components in found if uris]


def _deb822(stanza: str) -> Mapping[str, str]:
    lines = [line for line in stanza.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\n[ \t]+", " ", "\n".join(lines))
    return {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in joined.splitlines())}
