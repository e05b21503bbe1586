"""Where the links of a tree lead, told by names alone."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from airflow_ops.dag_release.agent.tree import NEIGHBOURS

MOST = 40  # links on one way, as in Linux
ROOT = ""


class Astray(Exception):
    """A link that leads to nothing in the tree, with the words for it."""


def findings(
    names: Iterable[str], links: Mapping[str, str], walks: Mapping[str, Callable[[str], bool]]
) -> dict[str, str]:
    """Return what is wrong with links, one sentence a link.

    :param names: the files and links of a tree.
    :param links: the targets of its links by their path.
    :param walks: the folders through which Airflow goes, as the tree itself; each says of a folder below it, by the
        path on which it is reached from there, that Airflow does not look into it.
    """
    if not links:
        return {}
    found, folders = {}, {}
    below = _folders(names)
    beside = {folder.removeprefix(f"{NEIGHBOURS}/") for folder in below.get(NEIGHBOURS, ())}
    files = set(names) - links.keys()
    for name, target in sorted(links.items()):
        try:
            place = resolve(name, links, beside)
            if place in below:
                folders[name] = place
            elif place not in files:
                raise Astray("leads nowhere in the release")
        except Astray as astray:
            found[name] = f"{name} is a link that {astray} (to {target})"
    for name, place in folders.items():
        below[name.rpartition("/")[0]].add(name)
        below[name] = {place}
    for name, place in folders.items():
        if name.rpartition("/")[0] in _within(place, below):
            found[name] = f"{name} is a link to a folder in which it lies itself (to {links[name]}), a way without end"
    for root, ignored in walks.items():
        what = "no plugin" if root else "no DAG at all"
        for name in _walked_again(root, below, folders, found, ignored):
            found[name] = (
                f"{name} is a link to {links[name]}, a folder that Airflow comes to twice: it then loads {what}, "
                "unless .airflowignore names one of them"
            )
    return found


def resolve(path: str, links: Mapping[str, str], beside: Container[str] = ()) -> str:
    """Return where a path leads when every link on it is followed, the root of the tree as an empty text.

    :param beside: the neighbours of the tree: on a host, ../NAME leads to the one of the live release.
    :raises Astray: when it leaves the tree, or comes back to itself.
    """
    way: list[str] = []
    ahead, hops = path.split("/")[::-1], 0
    while ahead:
        part = ahead.pop()
        if part == ".." and not way:
            if not (ahead and ahead[-1] in beside):
                raise Astray("leaves the tree")
            way.append(NEIGHBOURS)
        elif part == "..":
            way.pop()
        elif part not in ("", "."):
            way.append(part)
            target = links.get("/".join(way))
            if target is not None:
                way.pop()
                hops += 1
                ahead += target.split("/")[::-1]
                if target.startswith("/"):
                    raise Astray("leaves the tree")
                if hops > MOST:
                    raise Astray("leads back to itself")
    return "/".join(way)


def _folders(names: Iterable[str]) -> dict[str, set[str]]:
    """Return the folders of a tree and those that lie in each."""
    below: dict[str, set[str]] = {ROOT: set()}
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            below.setdefault(folder, set())
            below["/".join(parts[: depth - 1])].add(folder)
    return below


def _within(folder: str, below: Mapping[str, set[str]]) -> set[str]:
    """Return a folder and all that are reached from it, through links too."""
    found: set[str] = set()
    todo = [folder]
    while todo:
        if (one := todo.pop()) not in found:
            found.add(one)
            todo += below[one]
    return found


def _walked_again(
    root: str,
    below: Mapping[str, set[str]],
    folders: Mapping[str, str],
    found: Container[str],
    ignored: Callable[[str], bool],
) -> Iterator[str]:
    """Yield the links through which Airflow comes to a folder once more; folders themselves are walked first here.

    :param found: links of which that is known already.
    """
    seen = {root}
    todo = [("", root, "")]  # the path on which a folder is reached, the folder, the last link on the path
    links: list[tuple[str, str, str]] = []
    while todo or links:
        path, place, link = todo.pop() if todo else links.pop()
        if link and place in seen:
            yield link
            continue
        seen.add(place)
        for child in sorted(below.get(place, ())):
            reached = f"{path}/{child.rpartition('/')[2]}".lstrip("/")
            if child in found or ignored(reached):
                continue
            if child in folders:
                links.append((reached, folders[child], child))
            else:
                todo.append((reached, child, link))
