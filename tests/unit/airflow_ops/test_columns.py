"""Tables as text."""

from airflow_ops.columns import columns


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([("host", "state", ""), ("mn01p", "cut, full", "x")]) == [
        "host   state",
        "mn01p  cut, full  x",
    ]
