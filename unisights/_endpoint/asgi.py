"""An endpoint as an ASGI app that serves every HTTP request it is called with."""

from collections.abc import Callable
from typing import Any

from unisights._endpoint.asynchronous import AsyncEndpoint
from unisights._http.asgi import ASGIBody, Receive, Scope, Send, read_info, to_messages
from unisights.config import UnisightsOptions
from unisights.delivery import Inline
from unisights.request import RequestInfo

MakeASGIRequest = Callable[[Scope, RequestInfo, bytes], Any]
"""Makes the framework's request, the handler's second argument, from a request's scope, its
snapshot and its body."""


class ASGIEndpoint(AsyncEndpoint):
    """Serves requests on any path.

    Args:
        options: the endpoint's options.
        make_request: makes the framework's request.
        request_type: the class of the framework's request.
    """

    has_lifespan = True

    def __init__(
        self,
        options: UnisightsOptions,
        make_request: MakeASGIRequest,
        *,
        request_type: type = RequestInfo,
    ) -> None:
        super().__init__(options, Inline(), request_type=request_type)
        self._make_request = make_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        info = read_info(scope)
        response = await self.serve(
            info,
            ASGIBody(receive),
            lambda body: self._make_request(scope, info, body),
            # The server sends "100 Continue" when the app calls `receive` for the first time.
            client_waits="expect" in info.headers,
        )
        start, content = to_messages(response)
        await send(start)
        await send(content)
