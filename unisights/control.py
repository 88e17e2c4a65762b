"""The handle by which an app watches, drains and closes its endpoint: the attribute `unisights`."""

import weakref
from collections.abc import Callable
from pathlib import Path

from unisights._delivery.base import Delivery
from unisights._runtime.callables import run_in_own_thread
from unisights.collector import Collector
from unisights.readiness import NotReadyReason, Readiness
from unisights.stats import Stats

__all__ = ["EndpointControl"]

ReadReasons = Callable[[], tuple[NotReadyReason, ...]]
"""Reads why the endpoint cannot accept payloads now."""


class EndpointControl:
    """Watches, drains and closes one endpoint, in this process.

    What the function of each framework returns has one as its attribute `unisights`. All methods
    may be called in any thread; those whose names begin with `a` are for async code, in which the
    others would block the event loop.
    """

    def __init__(
        self,
        collector: Collector,
        delivery: Delivery,
        read_reasons: ReadReasons,
        leave_end: Callable[[], None],
    ) -> None:
        self._collector = collector
        self._delivery = delivery
        self._read_reasons = read_reasons
        self._leave_end = leave_end
        endpoints.add(self)

    @property
    def spool(self) -> Path | None:
        """The file of durable delivery; None with any other delivery."""
        path: Path | None = getattr(self._delivery, "path", None)
        return path

    def stats(self) -> Stats:
        """Return what the endpoint has counted in this process, and what is waiting now."""
        return self._collector.stats()

    def readiness(self) -> Readiness:
        """Return whether the endpoint is ready to accept payloads, or why not. It never waits."""
        return Readiness(self._read_reasons())

    def drain(self, timeout: float) -> bool:
        """Wait until what was accepted before the call has been dealt with; accept more meanwhile.

        Inline: until no handler runs. Background: until each payload that waited or was handled at
        the time of the call has been delivered, or its failure passed to `on_error`. Durable: until
        each payload that was in the spool at that time, whichever process has stored it, has been
        delivered or is a dead letter; one that waits for its next attempt is waited for.

        Args:
            timeout: how long to wait at most, in seconds.

        Returns:
            Whether it happened in time. False for durable delivery after `close`, as the spool is
            closed.

        Raises:
            StoreError: the spool has not been opened yet, and cannot be.
            ConfigurationError: another endpoint of this process uses the spool differently.
        """
        return self._delivery.drain(timeout)

    async def adrain(self, timeout: float) -> bool:  # noqa: ASYNC109  # it ends no coroutine
        """Likewise, from async code."""
        return await self._delivery.adrain(timeout)

    def open(self) -> None:
        """Accept payloads, also after `close`. Durable: deliver what is in the spool, from now on.

        Servers open their endpoints by themselves, see `docs/durable-delivery.md`. This is for the
        hooks of those that do not.

        Raises:
            StoreError: the spool cannot be used.
            ConfigurationError: another endpoint of this process uses the spool differently.
        """
        self._delivery.open()

    async def aopen(self) -> None:
        """Do as `open`, from async code."""
        await run_in_own_thread(self._delivery.open)

    def close(self) -> None:
        """Accept no more payloads, drain for at most `drain_timeout`, and close the handler.

        Requests get 503 from then on; threads and files are given back. Inline: the handlers that
        run are waited for, for at most 8 seconds. Inline and background: what is left then, or
        after `drain_timeout`, is passed to `on_error`. Durable: only handlers that run are waited
        for; the rest stays in the spool.
        To close again does nothing. `open`, or a server's lifespan that begins afterwards, opens
        the endpoint again.
        """
        self._delivery.close()
        self._leave_end()
        self._delivery.finish()

    async def aclose(self) -> None:
        """Likewise, from async code; an async `close` of the handler runs on this event loop."""
        await run_in_own_thread(self._delivery.close)
        self._leave_end()
        await self._delivery.close_handler()


endpoints: "weakref.WeakSet[EndpointControl]" = weakref.WeakSet()
"""The handles of all endpoints of this process."""
