"""From an accepted payload to the handler, and to the answer."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from unisights.collector import Collector
from unisights.config import Handler
from unisights.reply import Reply
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

logger = logging.getLogger("unisights")


class InlineDelivery:
    """Runs the handler before the answer is given."""

    def __init__(self, collector: Collector) -> None:
        self._handler = collector.options.handler
        self._is_async = self._handler is not None and is_async(self._handler)
        self._replies = collector.replies

    async def deliver(
        self, info: RequestInfo, payload: UnisightsPayload, make_request: Callable[[], Any]
    ) -> Reply:
        """Run the handler and answer 200, or 500 if it raises.

        Args:
            info: the request, for the answer.
            payload: what the handler gets.
            make_request: makes the framework's request, the handler's second argument.
        """
        if self._handler is not None:
            try:
                await self._run(self._handler, payload, make_request())
            except Exception as error:
                logger.exception("the handler failed")
                return self._replies.handler_failed(info, error)
        return self._replies.received(info, payload)

    async def _run(self, handler: Handler, payload: UnisightsPayload, request: Any) -> None:
        if self._is_async:
            result = handler(payload, request)
        else:
            # A sync handler may block: it must not block the event loop.
            result = await asyncio.to_thread(handler, payload, request)
        if inspect.isawaitable(result):
            await result


def is_async(handler: Handler) -> bool:
    """Whether calling the handler makes a coroutine, as far as can be seen without calling it."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  # its method, not whether it has one
    )
