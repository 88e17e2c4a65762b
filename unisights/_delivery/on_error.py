"""What happens to a payload that was not handled: it is logged, and passed to `on_error`."""

import logging

from unisights._delivery.context import DeliveryContext
from unisights._runtime.callers import Caller
from unisights.errors import PermanentError
from unisights.types import UnisightsPayload


async def report_failure(
    context: DeliveryContext,
    payload: UnisightsPayload,
    error: Exception,
    caller: Caller,
    *,
    pooled: bool = False,
) -> None:
    """Pass a payload that was not handled to `on_error`, if there is one; log what that raises.

    Args:
        context: what the delivery is given of its endpoint.
        payload: the payload.
        error: why it was not handled.
        caller: how to call `on_error`.
        pooled: whether a sync `on_error` runs in the pool of the event loop, which bounds the
            number of threads, or in a daemon thread, which may hang.
    """
    on_error = context.options.on_error
    if on_error is None:
        return
    call = caller.call if pooled else caller.call_unpooled
    try:
        await call(on_error, payload, error)
    except (Exception, SystemExit) as raised:  # noqa: BLE001  # users' functions raise anything
        context.log.log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)


def log_failure(context: DeliveryContext, error: BaseException) -> None:
    """Log that the handler has failed for a payload, which is not attempted again."""
    described = f"{type(error).__name__}: {error}" if is_permanent(error) else None
    context.log.log(
        logging.ERROR,
        "handler_failed",
        "the handler failed: %s" if described else "the handler failed",
        *([described] if described else []),
        error=traceback_of(error),
    )


def traceback_of(error: BaseException) -> BaseException | None:
    """Return the exception whose traceback is logged; None if it was raised on purpose."""
    return None if is_permanent(error) else error


def is_permanent(error: BaseException) -> bool:
    """Return whether a handler says that no further attempt can succeed."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(PermanentError)[1] is None
    return isinstance(error, PermanentError)
