"""Follow work on a host that takes longer than one call should: each call does a part and says how to go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

Result = dict[str, Any]


def follow(
    call: Callable[[Mapping[str, Any]], Result],
    say: Callable[[str], None],
    limit: float,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Call until nothing is left to do; return the last result.

    :param call: takes arguments, among them ``left``, the seconds that are left; its result holds ``again``, the
        arguments of the next call, while there is more to do, and ``lines``, what happened meanwhile.
    :param limit: seconds for all calls together.
    """
    end, parent = clock() + limit, os.getppid()
    result = call({"left": limit})
    while True:
        for line in result.get("lines") or []:
            say(line)
        again = result.get("again")
        # The process of a task outlives a run that is killed; then it must not go on, unseen, against what comes next.
        if again is None or os.getppid() != parent:
            return result
        result = call({**again, "left": max(0.0, end - clock())})
