"""Where the releases of a host lie, and their manifests."""

from __future__ import annotations

import grp
import json
import os
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from airflow_ops.dag_release.agent.tree import Entry, Named, stamp_of

ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")
STAGING_PREFIX = ".staging-"


class AgentError(Exception):
    """A refusal that the admin reads: one sentence."""


class Place(NamedTuple):
    """Where the releases of a host are."""

    dags: Path  # the link that Airflow reads
    group: str
    folder_mode: int = 0o750
    file_mode: int = 0o640
    runtime: tuple[tuple[bool, str], ...] = ()  # what names runtime files, as in `Named`
    neighbours: tuple[str, ...] = ()  # names beside the dags folder that the run brings

    @property
    def named(self) -> Named:
        return Named(self.runtime)

    @property
    def home(self) -> Path:
        """Return the folder in which the dags folder and its neighbours lie."""
        return self.dags.parent

    @property
    def releases(self) -> Path:
        return self.home / "dag_releases"

    @property
    def new_link(self) -> Path:
        """Return the name under which the link is made before it takes its place."""
        return self.dags.with_name(f".{self.dags.name}.new")

    @property
    def ended(self) -> Path:
        """Return the file that says since when releases are not live any more."""
        return self.releases / "ended.json"

    def release(self, release_id: str) -> Path:
        return self.releases / release_id

    def scratch(self, name: str) -> Path:
        """Return a folder that is cleaned away when a run is killed."""
        return self.releases / f"{STAGING_PREFIX}{name}"

    def staging(self, release_id: str) -> Path:
        """Return where a tree is staged: in a folder of its own, in which its neighbours lie beside it."""
        return self.scratch(release_id) / self.dags.name

    def kept(self, release_id: str) -> Path:
        """Return where files of a release that would be lost are kept."""
        return self.releases / f"{release_id}.kept"

    def kept_as(self, release_id: str, entry: Entry) -> Path:
        """Return where a file is kept: under a name that says its content, so that none replaces another."""
        name = entry.path if entry.kind == "link" else f"{entry.path}~{entry.content[:8]}"
        return self.kept(release_id) / name

    def manifest(self, release_id: str) -> Path:
        """Return the manifest's path; a release has one once it went live everywhere."""
        return self.releases / f"{release_id}.json"

    def new_manifest(self, release_id: str) -> Path:
        """Return where the manifest of a release waits that is not yet live everywhere."""
        return self.releases / f"{release_id}.json.new"

    def known(self, release_id: str, unfinished: bool = False) -> Manifest | None:
        """Return what is known of a release that went live everywhere; what is named as the host's is no part of it.

        :param unfinished: whether also one counts that is not live everywhere.
        """
        found = Manifest.read(self.manifest(release_id))
        if found is None and unfinished:
            found = Manifest.read(self.new_manifest(release_id))
        if found and self.runtime:
            named = self.named
            return Manifest(found.fields, {path: entry for path, entry in found.files.items() if path not in named})
        return found

    def is_folder(self) -> bool:
        """Say whether the dags folder is a plain folder, as before the first release."""
        return self.dags.is_dir() and not self.dags.is_symlink()

    def live_id(self) -> str | None:
        """Return the id of the live release, or None when nothing is live.

        :raises AgentError: when the link leads elsewhere.
        """
        if not self.dags.is_symlink():
            return None
        target = self.dags.parent / self.dags.readlink()
        inside = target.parent == self.releases or target.parent.resolve() == self.releases.resolve()
        if not (inside and ID.fullmatch(target.name)):
            raise AgentError(
                f"{self.dags} is a link to {target} and not to a release in {self.releases}; "
                "put the folder itself there and repeat, it becomes a release of its own"
            )
        return target.name

    def own(self, path: Path, mode: int) -> None:
        """Give a new file or folder its group and mode."""
        os.chown(path, -1, group_id(self.group))
        path.chmod(mode)

    def make_folders(self, root: str, below: str, made: set[str]) -> None:
        """Make the folder `below` of a tree and those above it, all for the group; `made` are those that are known."""
        if below in made:
            return
        if below:
            self.make_folders(root, below.rpartition("/")[0], made)
        folder = Path(root, below)
        if not folder.is_dir():
            folder.mkdir()
            self.own(folder, self.folder_mode)
        made.add(below)

    def make_releases(self) -> None:
        """Make the folder of the releases where it is missing."""
        if not self.releases.is_dir():
            self.releases.mkdir()
            self.own(self.releases, self.folder_mode)


@cache
def group_id(name: str) -> int:
    """Return the number of a group, which is asked for once: a tree has thousands of files."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise AgentError(f"there is no group {name}; run site.yml --tags airflow") from error


class Manifest(NamedTuple):
    """What is known of a release: the fields that the controller gives, and its files."""

    fields: dict[str, Any]
    files: dict[str, Entry]

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """Return the manifest at `path`, None where there is none; nobody changes what is returned.

        :raises AgentError: when what lies there is none.
        """
        try:
            return _parsed(path, stamp_of(path.stat()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise AgentError(f"{path} is no manifest ({error}); move it away") from error

    def write(self, place: Place, path: Path) -> None:
        """Write the manifest to `path` by one rename."""
        files = {name: [entry.kind, entry.content, entry.stamp] for name, entry in self.files.items()}
        write_json(place, path, {**self.fields, "files": files})


@lru_cache(8)
def _parsed(path: Path, _stamp: str) -> Manifest:
    """Return what is in a manifest, which is looked at many times in one run."""
    content = json.loads(path.read_text("utf-8", "surrogateescape"))
    return Manifest(content, {name: Entry(name, *values) for name, values in content.pop("files", {}).items()})


def write_json(place: Place, path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file by one rename, readable by the group."""
    write(place, path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def write(place: Place, path: Path, text: str) -> None:
    """Write a file by one rename, readable by the group."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    place.own(temporary, place.file_mode)
    temporary.rename(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing where it is not there or not whole."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def release_ids(place: Place, unfinished: bool = False) -> list[str]:
    """Return the ids of the releases that went live once, oldest first.

    :param unfinished: whether also of those that were to.
    """
    if not place.releases.is_dir():
        return []
    ends = (".json", ".json.new") if unfinished else (".json",)
    names = {path.name.partition(".")[0] for path in place.releases.iterdir() if path.name.endswith(ends)}
    return sorted(name for name in names if ID.fullmatch(name))


def releases_before(live: str | None, oldest_first: Iterable[str]) -> list[str]:
    """Return the releases before the live one with another tree, as the end of an id says: rollbacks lead there."""
    return [name for name in oldest_first if live and name < live and name[-12:] != live[-12:]]


def select(entries: Iterable[Entry], names: Iterable[str]) -> list[Entry]:
    """Return the entries whose path is one of `names`."""
    wanted = set(names)
    return [entry for entry in entries if entry.path in wanted]
