"""Endpoints without a framework: what several test modules send bodies to."""

import io

from unisights import RequestInfo
from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._endpoint.base import Endpoint
from unisights._endpoint.synchronous import SyncEndpoint
from unisights._http.body import AsyncStreamBody, StreamBody
from unisights._http.responses import HTTPResponse

INFO = RequestInfo(method="POST", path="/events", headers={"x-trace": "abc"})


def serve(endpoint: SyncEndpoint, body: bytes, info: RequestInfo = INFO) -> HTTPResponse:
    """Send a body in this thread; the handler gets no request."""
    return endpoint.serve(info, StreamBody(io.BytesIO(body).read), lambda _body: None)


async def deliver(endpoint: Endpoint, body: bytes) -> HTTPResponse:
    """Deliver a body on the running event loop."""
    buffer = endpoint.collector.buffer(INFO)
    buffer.add(body)
    return await endpoint.respond(INFO, buffer, lambda _body: None, endpoint.delivery.on_loop)


async def serve_async(endpoint: AsyncEndpoint, body: bytes) -> HTTPResponse:
    """Send a body on the running event loop; the handler gets no request."""
    stream = AsyncStreamBody(StreamBody(io.BytesIO(body).read))
    return await endpoint.serve(INFO, stream, lambda _body: None)
