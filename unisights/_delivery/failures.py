"""What happens to a payload that was not handled: it is passed to the user's `on_error`."""

import logging

from unisights._delivery.context import DeliveryContext
from unisights._runtime.callers import Caller
from unisights.types import UnisightsPayload


async def report_failure(
    context: DeliveryContext, payload: UnisightsPayload, error: Exception, caller: Caller
) -> None:
    """Pass a payload that was not handled to `on_error`, if there is one; log what that raises."""
    on_error = context.options.on_error
    if on_error is None:
        return
    try:
        await caller.call_unpooled(on_error, payload, error)
    except Exception as raised:  # noqa: BLE001  # users' functions raise anything
        context.log.log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)
