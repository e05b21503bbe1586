"""The bundle: what is in it, and that a half-made one never has the final name."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_ops import bundle
from airflow_ops.wheelhouse import Order, Python, WheelhouseError, checksums

HERE = Python(path=Path("/usr/bin/python3"), platform="cp311-linux_x86_64", headers=True, venv=True)


@pytest.fixture
def fake_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wheelhouse is one file."""

    def build(order: Order, python: Python, cache: Path) -> bool:
        (cache / order.folder).mkdir(parents=True, exist_ok=True)
        (cache / order.folder / "lock.txt").write_text(order.lock)
        (cache / order.folder / "platform.txt").write_text(order.platform + "\n")
        return True

    monkeypatch.setattr(bundle, "build", build)


def test_the_extra_packages_are_for_the_hosts_alone() -> None:
    controller, *hosts = bundle.orders(HERE, ["pandas==2.2.3"]).values()
    assert controller.extra == ()
    assert hosts and all(order.extra == ("pandas==2.2.3",) for order in hosts)


def test_the_archive_is_complete_and_its_checksums_hold(tmp_path: Path, fake_build: None) -> None:
    archive = bundle.make(tmp_path / "dist", HERE, [], tmp_path / "cache")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    folder = tmp_path / archive.stem
    assert {path.name for path in folder.iterdir()} == {
        "SHA256SUMS",
        "controller",
        "repository.tar",
        "setup",
        "wheelhouse",
    }
    assert (folder / "setup").stat().st_mode & 0o111
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0
    with tarfile.open(folder / "repository.tar") as repository:
        assert "site.yml" in repository.getnames()


@pytest.mark.parametrize(
    ("platform", "damaged", "says"),
    [
        pytest.param("cp311-linux_x86_64", True, "repository.tar: FAILED", id="damaged"),
        pytest.param(
            "cp27-vms_vax", False, "The bundle is made for cp27-vms_vax, but /usr/bin/python3", id="another Python"
        ),
    ],
)
def test_setup_refuses_before_it_changes_anything(
    tmp_path: Path, fake_build: None, platform: str, damaged: bool, says: str
) -> None:
    archive = bundle.make(tmp_path, replace(HERE, platform=platform), [], tmp_path / "cache")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    folder, target = tmp_path / archive.stem, tmp_path / "target"
    if damaged:
        (folder / "repository.tar").write_text("")
    done = subprocess.run([folder / "setup", target], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
    assert not target.exists()


def test_setup_of_a_newer_bundle_takes_away_what_it_dropped_and_nothing_of_the_admin(
    tmp_path: Path, fake_build: None
) -> None:
    archive = bundle.make(tmp_path, HERE, [], tmp_path / "cache")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    folder, target = tmp_path / archive.stem, tmp_path / "target"
    uv = folder / "controller/uv"
    uv.write_text("#!/bin/sh\nmkdir -p .venv\n")
    uv.chmod(0o755)

    def setup(*more: str) -> None:
        """Run the setup of a bundle that holds these files besides the repository's."""
        for name in more:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("ours")
            subprocess.run(["tar", "-rf", folder / "repository.tar", "-C", tmp_path, name], check=True)
        (folder / "SHA256SUMS").unlink()
        (folder / "SHA256SUMS").write_text(checksums(folder))
        subprocess.run([folder / "setup", target], check=True, stdout=subprocess.DEVNULL)

    newer = (folder / "repository.tar").read_bytes()
    dropped = ["roles/old/tasks/main.yml", "library/old.py", "dags/월별 보고서/old one.py"]
    setup(*dropped, "inventories/dev/old.yml")
    own = [
        "roles/own/tasks/main.yml",
        "library/own.py",
        "dags/월별 보고서/own.py",
        "inventories/dev/group_vars/dev/vault.yml",
    ]
    for name in own:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("the admin's")
    (folder / "repository.tar").write_bytes(newer)
    setup()
    assert [name for name in dropped if (target / name).exists()] == []
    assert [(target / name).read_text() for name in own] == ["the admin's"] * len(own)
    assert (target / "inventories/dev/old.yml").exists() and (target / "site.yml").exists()


def test_a_failure_leaves_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> bool:
        raise WheelhouseError("no network")

    monkeypatch.setattr(bundle, "build", broken)
    with pytest.raises(WheelhouseError):
        bundle.make(tmp_path / "dist", HERE, [], tmp_path / "cache")
    assert not list((tmp_path / "dist").iterdir())


def test_a_folder_without_git_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "REPOSITORY", tmp_path)
    assert bundle.main([str(tmp_path / "dist")]) == 2
    assert "The bundle is made from the git repository" in capsys.readouterr().err
