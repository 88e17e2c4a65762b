"""An endpoint as an ASGI app that serves whatever it is called with."""

from collections.abc import Callable
from typing import Any

from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._http.asgi import MessageReader, Receive, Scope, Send, read_info, send_response
from unisights.config import UnisightsOptions
from unisights.request import RequestInfo

MakeRequestOf = Callable[[Scope, RequestInfo, bytes], Any]
"""Makes the framework's request of its scope, and of the body that was read."""


class ASGIEndpoint(AsyncEndpoint):
    """Serves the endpoint's requests, on whatever path they come."""

    def __init__(self, options: UnisightsOptions, make_request: MakeRequestOf) -> None:
        super().__init__(options, "inline")
        self._make_request = make_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        info = read_info(scope)
        response = await self.serve(
            info,
            MessageReader(receive).read,
            lambda body: self._make_request(scope, info, body),
        )
        await send_response(send, response)
