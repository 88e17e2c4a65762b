"""Every kind of handler, on every adapter."""

import functools
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.adapters.drivers import is_on_event_loop
from tests.support import make_body


class _Kinds:
    """Handlers of every kind, which note that they have run to their end."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    async def _finish(self, payload: Any) -> None:
        self.done.append(payload)

    def sync_function(self) -> Any:
        def handler(payload: Any, request: Any) -> None:
            self.done.append(payload)

        return handler

    def async_function(self) -> Any:
        async def handler(payload: Any, request: Any) -> None:
            await self._finish(payload)

        return handler

    def sync_lambda(self) -> Any:
        return lambda payload, request: self.done.append(payload)

    def lambda_of_a_coroutine(self) -> Any:
        return lambda payload, request: self._finish(payload)

    def sync_partial(self) -> Any:
        return functools.partial(lambda extra, payload, request: self.done.append(payload), 1)

    def async_partial(self) -> Any:
        async def handler(extra: int, payload: Any, request: Any) -> None:
            await self._finish(payload)

        return functools.partial(functools.partial(handler), 1)

    def bound_method(self) -> Any:
        class Holder:
            def handle(holder, payload: Any, request: Any) -> None:
                self.done.append(payload)

        return Holder().handle

    def async_bound_method(self) -> Any:
        class Holder:
            async def handle(holder, payload: Any, request: Any) -> None:
                await self._finish(payload)

        return Holder().handle

    def callable_object(self) -> Any:
        class Holder:
            def __call__(holder, payload: Any, request: Any) -> None:
                self.done.append(payload)

        return Holder()

    def async_callable_object(self) -> Any:
        class Holder:
            async def __call__(holder, payload: Any, request: Any) -> None:
                await self._finish(payload)

        return Holder()

    def object_that_returns_an_awaitable(self) -> Any:
        class Holder:
            def __call__(holder, payload: Any, request: Any) -> Awaitable[None]:
                return self._finish(payload)

        return Holder()


KINDS = [name for name in vars(_Kinds) if not name.startswith("_")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_handler_runs(connect: Any, kind: str) -> None:
    """The handler has run to its end when the answer comes, whatever kind of callable it is."""
    kinds = _Kinds()
    client = connect(handler=getattr(kinds, kind)())
    assert client.post(make_body()).status == 200
    assert len(kinds.done) == 1


def test_a_sync_handler_does_not_run_on_the_event_loop(connect_async: Any) -> None:
    """A handler that blocks must not block other requests: it runs in another thread."""
    on_loop: list[bool] = []

    def handler(payload: Any, request: Any) -> None:
        on_loop.append(is_on_event_loop())

    assert connect_async(handler=handler).post(make_body()).status == 200
    assert on_loop == [False]


def test_the_handler_sees_the_requests_headers(connect: Any, recorder: Any) -> None:
    """The second argument tells the request's headers, by whatever class it is."""
    connect(handler=recorder).post(make_body(), x_trace="abc")
    (request,) = recorder.requests
    assert request.headers["x-trace"] == "abc"
    assert request.method == "POST"
