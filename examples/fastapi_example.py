"""FastAPI: count events by type, and show the counts.

    pip install 'unisights[fastapi]' uvicorn
    uvicorn fastapi_example:app

Endpoint: POST /api/events. Documentation: /docs. Counts: /counts.
"""

from collections import Counter

from fastapi import FastAPI, Request

from unisights import UnisightsOptions, UnisightsPayload
from unisights.fastapi import unisights_fastapi

app = FastAPI()
counts: Counter[str] = Counter()


async def handle_event(payload: UnisightsPayload, request: Request) -> None:
    """Count a payload's events."""
    counts.update(event.type for event in payload.data.events)


options = UnisightsOptions(path="/api/events", handler=handle_event)
app.include_router(unisights_fastapi(options))


@app.get("/counts")
async def show_counts() -> dict[str, int]:
    """The counts since the start."""
    return dict(counts)
