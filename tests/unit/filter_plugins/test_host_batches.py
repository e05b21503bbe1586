"""How hosts are cut into batches."""

import pytest
from ansible.errors import AnsibleFilterError

from filter_plugins.host_batches import host_batches


@pytest.mark.parametrize(
    ("hosts", "size", "batches"),
    [
        pytest.param("abcd", "50%", ["ab", "cd"], id="half"),
        pytest.param("abc", "50%", ["a", "b", "c"], id="half of an odd number, rounded down"),
        pytest.param("abc", "1%", ["a", "b", "c"], id="at least one"),
        pytest.param("abc", "100%", ["abc"], id="all"),
        pytest.param("abc", 2, ["ab", "c"], id="number"),
        pytest.param("abc", "2", ["ab", "c"], id="number as text"),
        pytest.param("abc", 9, ["abc"], id="more than there are"),
        pytest.param("", "50%", [], id="no hosts"),
    ],
)
def test_host_batches(hosts: str, size: str | int, batches: list[str]) -> None:
    assert host_batches(list(hosts), size) == [list(batch) for batch in batches]


@pytest.mark.parametrize("size", ["0", "0%", "101%", "half", "-1", "", "1.5"])
def test_host_batches_refuses_what_is_no_size(size: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"number of hosts from 1 or a percentage"):
        host_batches(["a"], size)
