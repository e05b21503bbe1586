"""The accounts of a Redis server: what stands in their file, and how a running server is told."""

from __future__ import annotations

import io
import socket
import threading
from pathlib import Path

import pytest

from library.redis_tenant import (
    ServerError,
    accounts_file,
    command,
    connected,
    hashed,
    passwords_in,
    reply,
    sentence,
    wanted_passwords,
)

OLD, NEW = "p%@/# 한글", "new"
FILE = accounts_file("airflow", [hashed(OLD)], "secret")


def test_file_holds_hashes_and_gives_root_nothing_but_accounts() -> None:
    assert FILE.splitlines() == [
        "user default off",
        f"user _root on #{hashed('secret')} resetkeys resetchannels -@all +acl|setuser +acl|getuser +acl|users",
        f"user airflow on #{hashed(OLD)} ~* &* +@all -@admin -@dangerous +info",
    ]


@pytest.mark.parametrize(
    ("text", "user", "expected"),
    [
        pytest.param("", "airflow", [], id="no-file"),
        pytest.param(FILE, "airflow", [hashed(OLD)], id="one"),
        pytest.param(FILE, "air", [], id="another-account"),
        pytest.param(
            accounts_file("a.b", [hashed(NEW), hashed(OLD)], "secret"), "a.b", [hashed(NEW), hashed(OLD)], id="two"
        ),
    ],
)
def test_passwords_in(text: str, user: str, expected: list[str]) -> None:
    assert passwords_in(text, user) == expected


@pytest.mark.parametrize(
    ("had", "keep", "passwords", "said"),
    [
        pytest.param([], True, [NEW], "make the account airflow", id="new-account"),
        pytest.param([OLD], True, [NEW, OLD], "set the password of airflow, the one before holds too", id="beside"),
        pytest.param([OLD], False, [NEW], "set the password of airflow", id="at-once"),
        pytest.param([NEW, OLD], False, [NEW], "retire the earlier password of airflow", id="retired"),
        pytest.param([NEW, OLD], True, [NEW, OLD], "write the account airflow", id="repeated"),
        pytest.param([OLD, NEW], True, [NEW, OLD], "write the account airflow", id="back-again"),
    ],
)
def test_passwords_that_hold(had: list[str], keep: bool, passwords: list[str], said: str) -> None:
    hashes = [hashed(each) for each in had]
    wanted = wanted_passwords(NEW, hashes, keep)
    assert wanted == [hashed(each) for each in passwords]
    assert sentence("airflow", hashes, wanted) == said


def test_command() -> None:
    assert command("AUTH", "한") == b"*2\r\n$4\r\nAUTH\r\n$3\r\n\xed\x95\x9c\r\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b"+OK\r\n", "OK", id="text"),
        pytest.param(b":3\r\n", 3, id="number"),
        pytest.param(b"$-1\r\n", None, id="nothing"),
        pytest.param(b"*2\r\n$3\r\na\r\n\r\n*1\r\n$1\r\nb\r\n", ["a\r\n", ["b"]], id="list"),
    ],
)
def test_reply(answer: bytes, expected: object) -> None:
    assert reply(io.BytesIO(answer)) == expected


@pytest.mark.parametrize("answer", [b"-WRONGPASS no\r\n", b""])
def test_refusal(answer: bytes) -> None:
    with pytest.raises(ServerError):
        reply(io.BytesIO(answer))


def test_who_does_not_answer_is_no_server(tmp_path: Path) -> None:
    assert connected(str(tmp_path / "nobody"), "secret") is None


def test_server_is_asked_for_the_passwords_of_an_account(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    accepted = []

    def answer() -> None:
        accepted.append(listener.accept()[0])
        accepted[0].sendall(answers)

    answers = (
        b"+OK\r\n*4\r\n$5\r\nflags\r\n*0\r\n$9\r\npasswords\r\n*1\r\n$1\r\nh\r\n*2\r\n$7\r\ndefault\r\n$3\r\nold\r\n"
    )
    thread = threading.Thread(target=answer)
    thread.start()
    server = connected(str(tmp_path / "s"), "secret")
    thread.join()
    assert server
    assert server.passwords("airflow") == ["h"]
    assert server.knows_others("airflow")
