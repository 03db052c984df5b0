"""Repeats a run of the engine that failed for a reason that passes. What it completed is in the state."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from rich.console import Console

from release.errors import PassingError

_T = TypeVar("_T")
# Characters of a reason.
_SHOWN = 300
# Seconds between the attempts. azure-native and azure-ai-ml have retried each request before.
_WAITS = (5, 10, 20, 30, 60, 60, 60)


def persistently(console: Console, run: Callable[[bool], _T]) -> _T:
    """Return the result of a run. Repeat it if Azure failed, throttled or did not answer, and tell each repetition.

    `run` takes whether it is a repetition. One that goes on after an error completes more than one that stops.

    Raises:
        PassingError: It failed eight times within five minutes of waiting.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

    def tell(attempts: Any) -> None:
        count = attempts.attempt_number
        reason = textwrap.shorten(str(attempts.outcome.exception().message), _SHOWN)
        wait = attempts.next_action.sleep
        console.print(
            f"  attempt {count} of {len(_WAITS) + 1} failed: {reason}\n  trying again in {wait:.0f} s",
            highlight=False, markup=False,
        )  # fmt: skip

    repeating = Retrying(
        retry=retry_if_exception_type(PassingError),
        wait=wait_chain(*map(wait_fixed, _WAITS)),
        stop=stop_after_attempt(len(_WAITS) + 1),
        before_sleep=tell,
        reraise=True,
    )
    return repeating(lambda: run(repeating.statistics["attempt_number"] > 1))
