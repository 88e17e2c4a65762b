"""FastAPI; each contestant in an app of its own, so that none has others' routes before it."""

from fastapi import FastAPI, Request, Response

from benchmarks.apps import HEADERS, RESPONSE
from benchmarks.peers.pydantic_models import Payload
from unisights.fastapi import unisights_fastapi

reading = FastAPI()
validating = FastAPI()
receiving = FastAPI()


@reading.post("/events")
async def read(request: Request) -> Response:
    """Read the body; do nothing with it."""
    await request.body()
    return Response(RESPONSE, headers=HEADERS)


@validating.post("/events")
async def validate(payload: Payload) -> Response:  # noqa: ARG001  # FastAPI makes it
    """Let FastAPI parse and validate the body."""
    return Response(RESPONSE, headers=HEADERS)


receiving.include_router(unisights_fastapi())
