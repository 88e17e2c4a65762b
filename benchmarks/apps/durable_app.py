"""FastAPI with a handler that does nothing: inline, and durable with what is to be outlived."""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from unisights import UnisightsOptions
from unisights.config import Durability
from unisights.fastapi import unisights_fastapi


async def _handle(payload: Any, request: Any) -> None:
    pass


def _app(options: UnisightsOptions) -> FastAPI:
    app = FastAPI()
    app.include_router(unisights_fastapi(options))
    return app


def _durable(durability: Durability) -> FastAPI:
    spool = Path(os.environ.get("BENCHMARK_DIRECTORY", "."), f"{durability}.spool")
    return _app(
        UnisightsOptions(handler=_handle, delivery="durable", spool=spool, durability=durability)
    )


def inline() -> FastAPI:
    """The handler runs before the answer."""
    return _app(UnisightsOptions(handler=_handle))


def process() -> FastAPI:
    """Stored before the answer, so that it outlives the process."""
    return _durable("process")


def power() -> FastAPI:
    """On the disk before the answer, so that it outlives the host's power."""
    return _durable("power")
