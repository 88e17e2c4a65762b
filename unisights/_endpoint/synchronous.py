"""An endpoint whose requests are served in the thread that brings them."""

from collections.abc import Callable

from unisights._endpoint.base import Endpoint, MakeRequest
from unisights._endpoint.receiving import BodyReceiver
from unisights._http.body import declared_length
from unisights._http.responses import HTTPResponse
from unisights.collector import Decision
from unisights.request import RequestInfo

Read = Callable[[int], bytes | None]
"""Reads at most so many bytes of a body: nothing at its end, None if the client went away."""


class SyncEndpoint(Endpoint):
    """Serves requests in threads."""

    def serve(self, info: RequestInfo, read: Read, make_request: MakeRequest) -> HTTPResponse:
        """Serve a request.

        Args:
            info: the request.
            read: reads its body.
            make_request: makes the framework's request, given the body that was read.
        """
        receiver = BodyReceiver(self.collector, info, declared_length(info))
        while receiver.wanted:
            receiver.feed(read(receiver.wanted))
        if receiver.response is not None:
            return receiver.response
        assert receiver.buffer is not None  # noqa: S101  # narrows a type
        return self._settle(info, self.collector.accept(info, receiver.buffer), make_request)

    def _settle(
        self, info: RequestInfo, decision: Decision, make_request: MakeRequest
    ) -> HTTPResponse:
        if decision.rejection is not None:
            self.delivery.keep_rejection_sync(decision.rejection)
        payload = decision.payload
        if payload is None:
            assert decision.response is not None  # noqa: S101  # it has the one or the other
            return decision.response
        outcome = self.delivery.deliver_sync(info, payload, lambda: make_request(payload.raw))
        return self.respond(info, payload, outcome)
