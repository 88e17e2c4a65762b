"""An endpoint for hosts that serve each request in a thread."""

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.receiving import (
    EarlyResponse,
    Reading,
    Result,
    drain_body,
    receive_body,
)
from unisights._http.body import declared_length
from unisights._http.responses import HTTPResponse
from unisights._http.wsgi import Read
from unisights.collector import Decision, Refused
from unisights.request import RequestInfo


class SyncEndpoint(Endpoint):
    """Serves each request in the thread that calls it."""

    def serve(self, info: RequestInfo, read: Read, make_request: MakeRequest) -> HTTPResponse:
        """Serve a request.

        Args:
            info: the request.
            read: reads the request's body.
            make_request: makes the framework's request of the body that was read.
        """
        # WSGI servers send "100 Continue" before they call the app, so no client waits for it.
        length = declared_length(info)
        reading = receive_body(self.collector, info, length=length, client_waits=False)
        received = _run(reading, read)
        if isinstance(received, EarlyResponse):
            if received.needs_drain:
                _run(drain_body(length), read)
            return received.response
        return self._finish(info, self.collector.accept(info, received), make_request)

    def _finish(
        self, info: RequestInfo, decision: Decision, make_request: MakeRequest
    ) -> HTTPResponse:
        if decision.rejection is not None:
            self.delivery.keep_rejection_sync(decision.rejection)
        if isinstance(decision, Refused):
            return decision.response
        payload = decision.payload
        outcome = self.delivery.deliver_sync(info, payload, lambda: make_request(payload.raw))
        return self.respond(info, payload, outcome)


def _run(reading: Reading[Result], read: Read) -> Result:
    piece: bytes | None = None
    while True:
        try:
            wanted = reading.send(piece)
        except StopIteration as end:
            result: Result = end.value
            return result
        piece = read(wanted)
