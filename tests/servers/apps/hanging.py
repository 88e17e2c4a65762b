"""Three endpoints whose handlers, `on_error` and `close` never return."""

import asyncio
import time
from typing import Any

from tests.servers.apps.settings import SETTINGS
from unisights import Background, UnisightsOptions
from unisights._runtime import ending

PATHS = ("/events", "/second", "/third")
"""As the test has them, which cannot import this."""

FOR_EVER = 1000.0

ending.REPORT_SECONDS, ending.CLOSE_SECONDS = SETTINGS["options"]["report_and_close"]


class _Sync:
    def __call__(self, payload: Any, request: Any) -> None:
        time.sleep(FOR_EVER)

    def close(self) -> None:
        """Hang."""
        time.sleep(FOR_EVER)


class _Async:
    async def __call__(self, payload: Any, request: Any) -> None:
        await asyncio.sleep(FOR_EVER)

    async def close(self) -> None:
        """Hang."""
        await asyncio.sleep(FOR_EVER)


def _on_error(payload: Any, error: Exception) -> None:
    time.sleep(FOR_EVER)


def make_options(path: str) -> UnisightsOptions:
    """The options of one endpoint."""
    return UnisightsOptions(
        path=path,
        handler=(_Async if SETTINGS["handler"] == "async" else _Sync)(),
        on_error=_on_error,
        delivery=Background(drain_timeout=SETTINGS["options"]["drain_timeout"]),
    )
