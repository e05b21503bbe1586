"""Arguments of the command line that are refused before anything is touched."""

import pytest

from lab import cli, machine


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["up", "mn99p"], "There is no host 'mn99p'", id="unknown host"),
        pytest.param(["up", "--extra", "-1"], "--extra is -1", id="negative extra"),
        pytest.param(["ssh", "mn99p"], "There is no host 'mn99p'", id="ssh unknown host"),
        pytest.param(["ssh", "mn01p"], "There is no lab", id="ssh without a lab"),
        pytest.param(["kill", "mn01p"], "There is no lab", id="kill without a lab"),
        pytest.param(["layer", "none"], "There is no layer 'none'", id="unknown layer"),
    ],
)
def test_refusals(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "check", lambda: None)
    monkeypatch.setattr(machine, "check_root", lambda euid: None)
    monkeypatch.setattr("sys.argv", ["lab", *words])
    monkeypatch.setenv("LAB_NAME", "none")
    monkeypatch.setenv("LAB_STATE", "/nonexistent/lab")
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith(f"lab: {said}")
