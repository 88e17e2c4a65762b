"""Backoff: the wait before something that has failed is attempted again."""

import random

_MAX_DOUBLINGS = 60
"""A float can hold no more of them; by then `longest` is the bound in any case."""


def backoff(attempt: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after a failed attempt: exponential backoff with full jitter.

    The result is drawn uniformly between 0 and a bound. The bound doubles with each attempt. Full
    jitter spreads callers that failed at the same moment the most evenly: they do not come back
    together.

    Args:
        attempt: the number of the attempt that has failed, counted from 1.
        first: the bound after the first attempt, in seconds.
        longest: the greatest bound, in seconds.
    """
    bound = min(longest, first * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
    return random.uniform(0.0, bound)  # noqa: S311  # spreads load; it is no secret
