"""An endpoint for hosts that serve each request in a thread."""

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.receiving import (
    EarlyResponse,
    Reading,
    Result,
    drain_body,
    receive_body,
)
from unisights._http.body import SyncBody
from unisights._http.responses import HTTPResponse
from unisights.collector import Decision, Refused
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
        # WSGI servers send "100 Continue" before they call the app, so no client waits for it.
        received = _run(receive_body(self.collector, info, body), body)
        if isinstance(received, EarlyResponse):
            if received.needs_drain:
                _run(drain_body(body), body)
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


def _run(reading: Reading[Result], body: SyncBody) -> Result:
    piece: bytes | None = None
    while True:
        try:
            reading.send(piece)
        except StopIteration as end:
            result: Result = end.value
            return result
        piece = body.read()
