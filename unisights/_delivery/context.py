"""What a delivery is given of its endpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unisights._runtime.callers import Callers
from unisights._runtime.log import ThrottledLog
from unisights.config import UnisightsOptions
from unisights.stats import Counters
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # only who quarantines imports it
    from unisights._decoding.quarantine import Selection

Decode = Callable[[bytes, "Selection | None"], UnisightsPayload]
"""Decodes a body that was accepted before, as the endpoint's options say."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What a delivery is given of its endpoint.

    Attributes:
        options: the endpoint's options.
        counters: what the endpoint has counted.
        log: the endpoint's log.
        decode: decodes a body that was accepted before.
        callers: who calls the user's functions.
    """

    options: UnisightsOptions
    counters: Counters
    log: ThrottledLog
    decode: Decode
    callers: Callers
