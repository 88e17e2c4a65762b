"""Runs the conformance suite against every adapter."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.apps import ADAPTERS, Client, make_client


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def connect(request: pytest.FixtureRequest) -> Callable[..., Client]:
    """Makes a client of the adapter under test, with the given options."""

    def connect_with(**options: Any) -> Client:
        return make_client(request.param, **options)

    return connect_with


@pytest.fixture(
    params=[adapter for adapter in ADAPTERS if adapter.is_async], ids=lambda adapter: adapter.name
)
def connect_async(request: pytest.FixtureRequest) -> Callable[..., Client]:
    """Likewise, of the adapters whose requests are served on an event loop."""

    def connect_with(**options: Any) -> Client:
        return make_client(request.param, **options)

    return connect_with


class Recorder:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.requests: list[Any] = []

    async def __call__(self, payload: Any, request: Any) -> None:
        """Keep a payload and its request."""
        self.payloads.append(payload)
        self.requests.append(request)


@pytest.fixture
def recorder() -> Recorder:
    """A handler that keeps what it was given."""
    return Recorder()
