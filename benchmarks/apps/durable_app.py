"""FastAPI with a handler that does nothing: inline delivery, and durable delivery to a spool."""

import os
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI

from unisights import Durable, UnisightsOptions
from unisights.fastapi import unisights_fastapi


def make_inline() -> FastAPI:
    """The handler runs before the response."""
    return _app(UnisightsOptions(handler=_handle))


def make_process() -> FastAPI:
    """Stored before the response, so that a payload outlives the process."""
    return _durable("process")


def make_power() -> FastAPI:
    """On the disk before the response, so that a payload outlives a power failure."""
    return _durable("power")


def _durable(durability: Literal["process", "power"]) -> FastAPI:
    spool = Path(os.environ["BENCHMARK_DIRECTORY"], "benchmark.spool")
    return _app(UnisightsOptions(handler=_handle, delivery=Durable(spool, durability=durability)))


def _app(options: UnisightsOptions) -> FastAPI:
    app = FastAPI()
    app.include_router(unisights_fastapi(options))
    return app


async def _handle(payload: Any, request: Any) -> None:
    pass
