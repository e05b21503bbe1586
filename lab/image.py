"""The trees that hosts stand on: a base made by debootstrap, and layers of prepared packages above it.

Each is named by the digest of everything that went into it, built under another name and renamed when complete, so
that a stale or half-made one can never be used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import apt, tree
from lab.lock import locked
from lab.shell import run, run_logged

Say = Callable[[str], None]

# Mounts and processes of a build live in namespaces of their own: nothing is left when it is killed.
ISOLATED = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")

LAYER_BUILD = """
set -eu
work=$1 base=$2; shift 2
mkdir -p "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$work/root"
mount -t proc proc "$work/root/proc"
for name in null zero random urandom tty; do
    touch "$work/root/dev/$name"; mount --bind "/dev/$name" "$work/root/dev/$name"
done
cp /etc/resolv.conf "$work/root/etc/resolv.conf"
exec chroot "$work/root" sh -c "$LAYER_SCRIPT" layer "$@"
"""


def digest(data: object) -> str:
    """Return a short digest of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


def base_key(sources: apt.Sources) -> str:
    """Return the name of the base tree that these sources and the data in ``tree`` make."""
    return digest(
        [
            sources.suite,
            sources.files,
            sources.configuration,
            tree.BASE_PACKAGES,
            tree.BASE_FILES,
            tree.BASE_COMMANDS,
        ]
    )


def layer_key(layer: str, base: str) -> str:
    """Return the name of a layer above the base tree ``base``."""
    return digest([base, tree.LAYERS[layer], tree.LAYER_SCRIPT, LAYER_BUILD])


def lower_folders(cache: Path, layers: set[str], say: Say) -> dict[str, list[Path]]:
    """Return, for each layer and for the base alone (''), the overlayfs lower folders, topmost first.

    What is missing is built; a lock keeps two labs from building the same.
    """
    cache.mkdir(parents=True, exist_ok=True)
    sources = apt.outer_sources()
    key = base_key(sources)
    base = cache / f"base-{key}"
    found = {"": [base]}
    with locked(cache / "lock"):
        if not base.exists():
            _timed(say, f"Building the base tree {base} (about a minute)", partial(_build_base, base, sources))
        for layer in sorted(layers):
            folder = cache / f"layer-{layer}-{layer_key(layer, key)}"
            if not folder.exists():
                _timed(say, f"Building the layer {folder}", partial(_build_layer, folder, base, layer))
            found[layer] = [folder / "upper", base]
    return found


def _timed(say: Say, what: str, build: Callable[[], None]) -> None:
    say(f"{what} ...")
    start = time.monotonic()
    build()
    say(f"  done in {time.monotonic() - start:.0f} s")


def _build_base(target: Path, sources: apt.Sources) -> None:
    work = target.with_name(f"{target.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    log = target.with_name(f"{target.name}.log")
    packages = ",".join(tree.BASE_PACKAGES)
    options = ["--variant=minbase", f"--include={packages}"]
    run_logged([*ISOLATED, "debootstrap", *options, sources.suite, work, sources.mirror], log)
    (work / "etc/apt/sources.list").unlink(missing_ok=True)
    for name, text in sources.files.items():
        _write(work / "etc/apt" / name, 0o644, text)
    _write(work / "etc/apt/apt.conf.d/90lab", 0o644, sources.configuration)
    for path, (mode, text) in tree.BASE_FILES.items():
        _write(work / path.lstrip("/"), mode, text)
    for words in tree.BASE_COMMANDS:
        run(["chroot", work, *words])
    work.rename(target)


def _build_layer(target: Path, base: Path, layer: str) -> None:
    work = target.with_name(f"{target.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    log = target.with_name(f"{target.name}.log")
    script = ["env", f"LAYER_SCRIPT={tree.LAYER_SCRIPT}", "sh", "-c", LAYER_BUILD, "layer"]
    run_logged([*ISOLATED, *script, work, base, *tree.LAYERS[layer]], log)
    for scratch in ("work", "root"):
        shutil.rmtree(work / scratch)
    work.rename(target)


def _write(path: Path, mode: int, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
