"""What happens to a payload that was not handled: it is logged, and passed to `on_error`."""

import logging
from collections.abc import Callable

from unisights._delivery.context import DeliveryContext
from unisights._runtime.callables import is_async
from unisights._runtime.callers import Caller
from unisights.errors import PermanentError
from unisights.types import UnisightsPayload


async def report_failure(
    context: DeliveryContext,
    payload: UnisightsPayload,
    error: Exception,
    caller: Caller,
) -> None:
    """Pass a payload that was not handled to `on_error`, if there is one; log what that raises.

    On an event loop, a sync `on_error` runs in a daemon thread, which may hang.

    Args:
        context: what the delivery is given of its endpoint.
        payload: the payload.
        error: why it was not handled.
        caller: how to call `on_error`.
    """
    on_error = context.options.on_error
    if on_error is None:
        return
    try:
        await caller.call_unpooled(on_error, payload, error)
    except (Exception, SystemExit) as raised:  # noqa: BLE001  # users' functions raise anything
        context.log.log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)


async def report_failure_pooled(
    context: DeliveryContext,
    payload: UnisightsPayload,
    error: Exception,
    caller: Caller,
    report_aside: Callable[[], None],
) -> None:
    """Do the same, but with a sync `on_error` in the loop's pool, which bounds the threads.

    Args:
        context: what the delivery is given of its endpoint.
        payload: the payload.
        error: why it was not handled.
        caller: how to call `on_error`.
        report_aside: is called if the event loop ends before `on_error` has been called.
    """
    on_error = context.options.on_error
    if on_error is None:
        return
    has_begun = False

    def begin() -> object:
        nonlocal has_begun
        has_begun = True
        return on_error(payload, error)

    try:
        await caller.call(begin, known_async=is_async(on_error))
    except (Exception, SystemExit) as raised:  # noqa: BLE001  # users' functions raise anything
        context.log.log(logging.ERROR, "on_error_failed", "on_error failed", error=raised)
    except BaseException:
        if not has_begun:
            report_aside()
        raise


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
