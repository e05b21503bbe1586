"""What the filter adds to the report of airflow_ops.drift."""

from __future__ import annotations

from filter_plugins.drift_report import drift_report


def test_what_nobody_can_tell_is_said_and_no_drift() -> None:
    whole = drift_report({}, "mn02p", [], 2, {"others": [], "error": ""})
    partly = drift_report({}, "mn02p", [], 2, {"others": [], "error": "this run did not look at mn02p"})
    said = "Nobody can tell whether another scheduler runs, since this run did not look at mn02p."
    assert partly == {**whole, "text": f"{whole['text']}\n{said}"}
