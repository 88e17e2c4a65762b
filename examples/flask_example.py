"""Flask: handle events in the background, after the response.

    pip install 'unisights[flask]' gunicorn
    gunicorn flask_example:app -w 1 --threads 4

Endpoint: POST /api/events. Counts: /counts (of the one worker process).
"""

import logging
from collections import Counter

from flask import Flask

from unisights import RequestInfo, UnisightsOptions, UnisightsPayload
from unisights.flask import unisights_flask

app = Flask(__name__)
counts: Counter[str] = Counter()


async def handle_event(payload: UnisightsPayload, request: RequestInfo) -> None:
    """Count a payload's events. It runs on one event loop, beside the threads of the server."""
    counts.update(event.type for event in payload.data.events)


def handle_failure(payload: UnisightsPayload, error: Exception) -> None:
    """Log a payload that was not handled: the browser does not send it again."""
    logging.error("not handled (%s): %s", error, payload.raw.decode())


options = UnisightsOptions(path="/api/events", handler=handle_event, on_error=handle_failure)
app.register_blueprint(unisights_flask(options))


@app.get("/counts")
def show_counts() -> dict[str, int]:
    """The counts since the start."""
    return dict(counts)
