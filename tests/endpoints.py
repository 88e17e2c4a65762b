"""Endpoints without a framework: what several test modules send bodies to."""

import io

from unisights import RequestInfo
from unisights._endpoint.base import Endpoint
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import StreamBody
from unisights._http.responses import HTTPResponse

INFO = RequestInfo(method="POST", path="/events", headers={"x-trace": "abc"})


def serve(endpoint: SyncEndpoint, body: bytes, info: RequestInfo = INFO) -> HTTPResponse:
    """Send a body in this thread; the handler gets no request."""
    return endpoint.serve(info, StreamBody(io.BytesIO(body).read), lambda _body: None)


async def deliver(endpoint: Endpoint, body: bytes) -> HTTPResponse:
    """Deliver a valid body on the running event loop."""
    payload = endpoint.collector.decode(body)
    outcome = await endpoint.delivery.deliver(INFO, payload, lambda: None)
    return endpoint.respond(INFO, payload, outcome)
