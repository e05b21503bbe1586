"""Filter clear_tasks_problems: what is wrong with a request to clear tasks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: clear_tasks_problems
short_description: What is wrong with a request to clear tasks
description: Judges a request before any host is touched.
options:
  _input:
    description: The request with C(dag_id), C(pattern), C(run_id), C(start), C(end) and C(limit), as texts.
    type: dict
    required: true
"""

EXAMPLES = r"""
problems: "{{ request | clear_tasks_problems }}" # [] or what is wrong
"""

RETURN = r"""
_value:
  description: One sentence for each problem; empty when there is none.
  type: list
  elements: str
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any


def problems(request: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a request."""
    return list(_problems({name: str(value) for name, value in request.items()}))


def _problems(request: Mapping[str, str]) -> Iterator[str]:
    if not re.fullmatch(r"[\w.-]+", request["dag_id"]):
        yield f"clear_tasks_dag_id is '{request['dag_id']}' and must be the id of a DAG (letters, digits, _ . -)."
    try:
        re.compile(request["pattern"])
    except re.error as error:
        yield f"clear_tasks_pattern is '{request['pattern']}' and no regular expression ({error})."
    if not re.fullmatch(r"[1-9]\d*", request["limit"]):
        yield f"clear_tasks_limit is '{request['limit']}' and must be a number from 1."
    window = [name for name in ("start", "end") if request[name]]
    if request["run_id"] and window:
        yield f"clear_tasks_run_id and clear_tasks_{window[0]} are both set; name a run or a window of dates."
    if not request["run_id"] and not window:
        yield "Neither clear_tasks_run_id nor a window (clear_tasks_start, _end) is set; that would mean every run."
    moments = {}
    for name in window:
        try:
            moments[name] = moment(request[name])
        except ValueError:
            yield f"clear_tasks_{name} is '{request[name]}' and must be a date as 2026-03-14 or 2026-03-14T09:26+09:00."
    if len(moments) == 2 and moments["end"] < moments["start"]:
        yield f"clear_tasks_end ({request['end']}) is before clear_tasks_start ({request['start']})."


def moment(text: str) -> datetime:
    """Return a date; only to compare, so one without a zone counts as UTC."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"clear_tasks_problems": problems}
