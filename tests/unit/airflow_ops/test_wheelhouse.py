"""The wheelhouse: what decides its name, what it refuses, and that it appears complete or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_ops import wheelhouse
from airflow_ops.wheelhouse import Order, Python, WheelhouseError

LOCK = """\
celery==5.6.2 \\
    --hash=sha256:aa
    # via -r airflow.in
Flask_AppBuilder==4.5.4 ; python_version < '3.13' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
setuptools==82.0.1 \\
    --hash=sha256:dd
"""
LOCKS = sorted((Path(__file__).parents[3] / "roles/airflow_install/files").glob("*.txt"))
HERE = Python(path=Path("/usr/bin/python3"), platform="cp311-linux_x86_64", headers=True, venv=True)


def order(**changes: object) -> Order:
    """An order for the sample lock."""
    return Order(**{"lock": LOCK, "platform": HERE.platform, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"lock": LOCK + "x==1\n"}, False, id="lock"),
        pytest.param({"platform": "cp312-linux_x86_64"}, False, id="python"),
        pytest.param({"platform": "cp311-linux_aarch64"}, False, id="machine"),
        pytest.param({"extra": ("a==1",)}, False, id="extra-package"),
        pytest.param({"source": "index"}, True, id="the-source-installs-the-same"),
    ],
)
def test_the_key_says_what_is_installed(changes: dict[str, object], same: bool) -> None:
    assert (order(**changes).key == order().key) is same


def test_the_order_of_extra_packages_does_not_matter() -> None:
    assert order(extra=("a==1", "b==2")).key == order(extra=("b==2", "a==1")).key


def test_a_folder_without_wheels_is_another_folder() -> None:
    assert order(source="index").folder != order().folder


def test_parse_lock_keeps_hashes_and_markers_and_drops_comments() -> None:
    entries = wheelhouse.parse_lock(LOCK)
    assert list(entries) == ["celery", "flask-appbuilder", "setuptools"]
    assert entries["celery"] == "celery==5.6.2 \\\n    --hash=sha256:aa\n"
    assert "python_version" in entries["flask-appbuilder"]
    assert entries["flask-appbuilder"].count("--hash") == 2


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_the_locks_in_the_repository(lock: Path) -> None:
    text = lock.read_text()
    entries = wheelhouse.parse_lock(text)
    assert all("--hash=sha256:" in entry for entry in entries.values())
    assert entries["apache-airflow"].startswith(f"apache-airflow=={lock.stem.removeprefix('airflow-')} ")
    assert {"celery", "mysqlclient", "psycopg2-binary", "redis", "setuptools", "statsd"} <= set(entries)
    assert "://" not in text


@pytest.mark.parametrize(
    "requirement",
    ["pandas", "pandas>=2", "pandas==2.*", "pandas==2 --index-url=x", "-r file", "a==1; b==2", "a @ file:///x"],
)
def test_extra_packages_must_be_pinned(requirement: str) -> None:
    with pytest.raises(WheelhouseError, match="is not pinned"):
        wheelhouse.extra_names([requirement])


def test_extra_packages_may_have_extras() -> None:
    assert wheelhouse.extra_names(["Apache_Airflow[hdfs]==1.0", "b==2"]) == {
        "apache-airflow": "Apache_Airflow[hdfs]==1.0",
        "b": "b==2",
    }


def test_merge_keeps_the_base_and_adds_the_new() -> None:
    base = {"celery": "celery==5.6.2\n"}
    resolved = {"celery": "celery==9\n", "pandas": "pandas==2.2.3\n"}
    assert wheelhouse.merge_extra(base, resolved, ["pandas==2.2.3"]) == "celery==5.6.2\npandas==2.2.3\n"


def test_merge_names_what_the_site_did_not_pin() -> None:
    resolved = {"pandas": "pandas==2.2.3 \\\n  --hash=x\n", "numpy": "numpy==2.1.0 \\\n  --hash=y\n"}
    with pytest.raises(WheelhouseError, match=r"add numpy==2\.1\.0 to airflow_install_extra_packages"):
        wheelhouse.merge_extra({}, resolved, ["pandas==2.2.3"])


@pytest.mark.parametrize(
    ("file_name", "line"),
    [
        ("mysqlclient-2.2.8-cp311-cp311-linux_x86_64.whl", "mysqlclient==2.2.8 --hash=sha256:1\n"),
        ("Flask_AppBuilder-4.5.4-py3-none-any.whl", "flask-appbuilder==4.5.4 --hash=sha256:1\n"),
        ("a-1.0+local-2build-py3-none-any.whl", "a==1.0+local --hash=sha256:1\n"),
    ],
)
def test_wheel_requirements(file_name: str, line: str) -> None:
    assert wheelhouse.wheel_requirements({file_name: "1"}) == line


@pytest.mark.parametrize(
    ("missing", "red_hat", "names"),
    [
        ([], False, []),
        (["compiler"], False, ["gcc"]),
        (["client library", "headers"], False, ["libmariadb-dev", "python3-dev"]),
        (["client library", "headers"], True, ["mariadb-connector-c-devel", "python3-devel"]),
    ],
)
def test_missing_packages_have_the_distributions_names(missing: list[str], red_hat: bool, names: list[str]) -> None:
    found = {tool: tool not in missing for tool in wheelhouse.BUILD_PACKAGES}
    assert wheelhouse.missing_packages(found, red_hat) == names


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda tool: None)
    with pytest.raises(WheelhouseError, match=r"cannot be built without gcc, pkg-config on this machine; run: apt-get"):
        wheelhouse.check_tools(HERE)


def test_describe_python_knows_this_one() -> None:
    described = wheelhouse.describe_python(Path(sys.executable))
    assert described.platform.startswith(f"cp{sys.version_info[0]}{sys.version_info[1]}-linux_")


def test_describe_python_refuses_what_is_none() -> None:
    with pytest.raises(WheelhouseError, match="does not run as Python"):
        wheelhouse.describe_python(Path("/bin/false"))


@pytest.fixture
def fake_build(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the work by one small wheel; the list grows by one with each build."""
    builds: list[str] = []

    def wheels(lock: str, python: Path, folder: Path, work: Path, log: Path) -> None:
        folder.mkdir()
        (folder / "celery-5.6.2-py3-none-any.whl").write_text("wheel")
        builds.append(lock)

    monkeypatch.setattr(wheelhouse, "build_wheels", wheels)
    monkeypatch.setattr(wheelhouse, "check_tools", lambda python: None)
    return builds


def test_a_wheelhouse_is_built_once_and_complete(tmp_path: Path, fake_build: list[str]) -> None:
    assert wheelhouse.build(order(), HERE, tmp_path)
    assert not wheelhouse.build(order(), HERE, tmp_path)
    folder = tmp_path / order().key
    assert len(fake_build) == 1
    assert (folder / "requirements.txt").read_text().startswith("celery==5.6.2 --hash=sha256:")
    assert (folder / "lock.txt").read_text() == LOCK
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=False).returncode == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "uv").write_bytes(b"changed"),
        lambda folder: (folder / "lock.txt").unlink(),
        lambda folder: (folder / "wheels" / "more.whl").write_text("planted"),
        lambda folder: (folder / "SHA256SUMS").unlink(),
    ],
    ids=["changed", "missing", "added", "no-sums"],
)
def test_a_damaged_wheelhouse_is_built_again(tmp_path: Path, fake_build: list[str], damage: object) -> None:
    wheelhouse.build(order(), HERE, tmp_path)
    damage(tmp_path / order().key)  # type: ignore[operator]
    with pytest.raises(WheelhouseError, match="holds no intact wheelhouse"):
        wheelhouse.find(order(), tmp_path)
    assert wheelhouse.build(order(), HERE, tmp_path)
    wheelhouse.find(order(), tmp_path)


def test_a_failed_build_leaves_nothing_that_counts(
    tmp_path: Path, fake_build: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise WheelhouseError("no network")

    with monkeypatch.context() as patch, pytest.raises(WheelhouseError):
        patch.setattr(wheelhouse, "build_wheels", broken)
        wheelhouse.build(order(), HERE, tmp_path)
    assert not (tmp_path / order().key).exists()
    assert wheelhouse.build(order(), HERE, tmp_path)
    assert not list(tmp_path.glob(".building-*"))


def test_a_failing_command_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(WheelhouseError, match=f"ERROR: no such package.*{log}"):
        wheelhouse.run_logged(["sh", "-c", "echo ERROR: no such package; exit 1"], log)


def test_the_command_line_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "lock"
    lock.write_text(LOCK)
    assert wheelhouse.main(["key", f"--lock={lock}", f"--python={sys.executable}", f"--cache={tmp_path}"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["path"] == str(tmp_path / answer["key"])
    assert answer["built"] is False


def test_the_command_line_fails_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wheelhouse.main(["key", f"--lock={tmp_path}/none"]) == 2
    assert "No such file" in capsys.readouterr().err
