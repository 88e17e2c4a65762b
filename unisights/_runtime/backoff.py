"""Backoff: the wait before something that has failed is attempted again."""

import random

_MAX_DOUBLINGS = 60
"""A float can hold no more of them; by then `longest` is the bound in any case."""


def backoff(attempt: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after a failed attempt: exponential backoff with equal jitter.

    The result is random, between half of a bound and the bound. The bound doubles with each
    attempt. So callers that failed at the same moment do not come back together, and no caller
    comes back at once: all attempts would be over before a server has restarted.

    Args:
        attempt: the number of the attempt that has failed, counted from 1.
        first: the bound after the first attempt, in seconds.
        longest: the greatest bound, in seconds.
    """
    bound = min(longest, first * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
    return random.uniform(bound / 2, bound)  # noqa: S311  # spreads load; it is no secret
