"""FastAPI."""

from fastapi import FastAPI, Request, Response

from benchmarks.apps import ANSWER, HEADERS
from benchmarks.peers.pydantic_models import Payload
from unisights.fastapi import unisights_fastapi

app = FastAPI()


@app.post("/read")
async def read(request: Request) -> Response:
    """Read the body; do nothing with it."""
    await request.body()
    return Response(ANSWER, headers=HEADERS)


@app.post("/model")
async def validate(payload: Payload) -> Response:  # noqa: ARG001  # FastAPI makes it
    """Let FastAPI parse and validate the body."""
    return Response(ANSWER, headers=HEADERS)


app.include_router(unisights_fastapi())
