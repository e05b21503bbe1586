"""What a health page says."""

import pytest

from library.airflow_service_health import page_problem

HEALTHY = '{"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}'
UNHEALTHY = '{"metadatabase": {"status": "unhealthy"}}'


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        pytest.param(200, "", "", id="scheduler"),
        pytest.param(503, "", "its health page answers 503", id="scheduler without heartbeat"),
        pytest.param(200, HEALTHY, "", id="web server, whatever the scheduler does"),
        pytest.param(200, UNHEALTHY, "its health page calls the metadata database unhealthy", id="web server alone"),
        pytest.param(200, "[]", "", id="another JSON"),
        pytest.param(404, HEALTHY, "its health page answers 404", id="not this page"),
    ],
)
def test_page_problem(status: int, body: str, problem: str) -> None:
    assert page_problem(status, body) == problem
