"""What is seen of a host, as far as it can be tried without Airflow."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.airflow_inside.drift_look import fingerprint, parted, plugins
from ansible.module_utils.dag_tree import digest, scan

from library.airflow_drift import cut, dag_files, unit_files


@pytest.mark.parametrize(
    ("section", "option", "hidden"),
    [
        pytest.param("core", "parallelism", False, id="plain"),
        pytest.param("core", "fernet_key", True, id="sensitive"),
        pytest.param("mine", "api_token", True, id="a token that Airflow does not know"),
        pytest.param("mine", "ldap_password", True, id="a password that Airflow does not know"),
        pytest.param("webserver", "base_url", False, id="a URL"),
    ],
)
def test_secrets_are_apart(section: str, option: str, hidden: bool) -> None:
    plain, secret = parted({section: {option: "value"}}, {("core", "fernet_key")})
    assert (
        (plain, secret) == ({}, {f"{section}.{option}": "value"}) if hidden else ({f"{section}.{option}": "value"}, {})
    )


@pytest.mark.parametrize(
    "value", ["mysql://airflow:s3cret@mn01p/airflow", "amqp://u:p/w@q@mn01p:5672//", "redis://:s3cret@mn01p"]
)
def test_a_url_with_a_password_is_secret_whatever_its_option_is_called(value: str) -> None:
    assert parted({"mine": {"backend": value}}, set()) == ({}, {"mine.backend": value})


def test_a_url_without_a_password_is_plain() -> None:
    assert parted({"mine": {"page": "https://mn02p:8080/"}}, set())[0]


def test_a_fingerprint_tells_equal_from_other_and_nothing_else() -> None:
    assert fingerprint("key", "secret") == fingerprint("key", "secret")
    assert fingerprint("key", "secret") != fingerprint("key", "other")
    assert fingerprint("key", "secret") != fingerprint("another key", "secret")
    assert "secret" not in fingerprint("key", "secret")


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """Return the dags link of a host with a live release of two files."""
    release = tmp_path / "dag_releases/r1"
    (release / "PKG").mkdir(parents=True)
    (release / "A.py").write_text("a")
    (release / "PKG/B.py").write_text("b")
    files = {entry.path: [entry.kind, entry.content, entry.stamp] for entry in scan(release)}
    manifest = {"files": files, "digest": digest(scan(release)), "carried": ["carried.txt"]}
    (tmp_path / "dag_releases/r1.json").write_text(json.dumps(manifest))
    (tmp_path / "dags").symlink_to(release)
    return tmp_path / "dags"


def test_a_release_as_it_was_delivered(dags: Path) -> None:
    (dags / "__pycache__").mkdir()
    (dags / "__pycache__/A.pyc").write_text("")
    (dags / "carried.txt").write_text("")
    assert dag_files(dags) == {"release": "r1", "digest": digest(scan(dags)[:2]), "differing": []}


def test_what_was_done_to_a_release_is_listed(dags: Path) -> None:
    (dags / "A.py").write_text("other")
    (dags / "PKG/B.py").unlink()
    (dags / "own.py").write_text("")
    assert dag_files(dags)["differing"] == ["edited: A.py", "missing: PKG/B.py", "not delivered: own.py"]


def test_what_tasks_write_is_no_difference(dags: Path) -> None:
    (dags / "state").mkdir()
    (dags / "state/last.txt").touch()
    (dags / "gen").mkdir()
    (dags / "gen/D.py").touch()
    assert dag_files(dags)["differing"] == ["not delivered: gen/D.py"]
    manifest = dags.parent / "dag_releases/r1.json"
    named = {**json.loads(manifest.read_text()), "runtime": [[True, "^gen/"]]}
    manifest.write_text(json.dumps(named))
    assert dag_files(dags)["differing"] == []


def test_names_that_are_not_utf8_can_be_shown(dags: Path) -> None:
    (Path(os.fsdecode(os.fsencode(dags) + b"/\xc7\xd1.py"))).touch()
    assert dag_files(dags)["differing"] == ["not delivered: \\xc7\\xd1.py"]


def test_a_plain_folder_has_no_release(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    assert dag_files(tmp_path / "dags")["release"] == ""


def test_plugins_of_a_host_and_of_a_release_are_told_alike(tmp_path: Path) -> None:
    (tmp_path / "plugins/sub/__pycache__").mkdir(parents=True)
    (tmp_path / "plugins/sub/x.py").write_text("1")
    (tmp_path / "plugins/sub/__pycache__/x.pyc").write_text("")
    (tmp_path / "plugins/cache.db").write_text("what a plugin has written")
    (tmp_path / "link").symlink_to("plugins")
    assert plugins(str(tmp_path / "none")) == {}
    assert plugins(str(tmp_path / "link")) == plugins(str(tmp_path / "plugins"))
    assert list(plugins(str(tmp_path / "plugins"))) == ["sub/x.py"]


def test_units_of_two_hosts_compare(tmp_path: Path) -> None:
    for name in ("dn01p", "dn02p"):
        (tmp_path / name / "airflow-worker.service.d").mkdir(parents=True)
        (tmp_path / name / "airflow-worker.service").write_text(f"celery@{name} --queues default,{name},etl\n")
        (tmp_path / name / "airflow-worker.service.d/own.conf").write_text("")
        (tmp_path / name / "other.service").write_text("")
    one, two = (unit_files(name, ["default", name, "etl"], tmp_path / name) for name in ("dn01p", "dn02p"))
    assert one == two
    assert one == {
        "airflow-worker.service": "celery@HOST --queues QUEUES\n",
        "airflow-worker.service.d/own.conf": "",
    }


def test_a_long_list_is_cut() -> None:
    assert cut([str(number) for number in range(25)])[-1] == "... and 5 more"
