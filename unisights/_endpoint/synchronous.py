"""An endpoint for servers that serve each request in a thread."""

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.discarding import discard_rest
from unisights._http.body import SyncBody
from unisights._http.responses import HTTPResponse
from unisights._runtime.callers import run_blocking
from unisights._runtime.fork import notice_fork
from unisights.request import RequestInfo


class SyncEndpoint(Endpoint):
    """Serves each request in the thread that calls it."""

    def serve(self, info: RequestInfo, body: SyncBody, make_request: MakeRequest) -> HTTPResponse:
        """Serve a request.

        Args:
            info: the request.
            body: its body.
            make_request: makes the framework's request of the body that was read.
        """
        # Servers of WSGI that are written in C may fork without a hook; those of ASGI do not.
        notice_fork()
        collector = self.collector
        response = collector.screen(info)
        if response is not None:
            # Even if the client sent Expect: most WSGI servers send "100 Continue" by themselves.
            discard_rest(body)
            return response
        buffer = collector.buffer(info)
        while not body.has_ended:
            response = collector.add_piece(info, buffer, body.read())
            if response is not None:
                discard_rest(body)
                return response
        return run_blocking(self.respond(info, buffer, make_request, self.delivery.in_request))
