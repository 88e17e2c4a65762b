"""Sends many payloads at once, and knows which of them were acknowledged."""

import http.client
import itertools
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from tests.servers.servers import Running

ACKNOWLEDGED = {200, 202}

_PAUSE = 0.005
"""How long a thread of a flood waits after each request, in seconds."""


def post_all(
    server: Running, labels: Iterable[str], threads: int = 4, *, repeats: bool = False
) -> Counter[int]:
    """Post one payload for each label, and count the statuses that come back.

    Args:
        server: where to.
        labels: what tells the payloads.
        threads: how many are posted at once.
        repeats: post again what was reset without an answer, as browsers do.
    """

    def post(label: str) -> int:
        while True:
            try:
                return server.post(label).status
            except ConnectionResetError:
                if not repeats:
                    raise

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(post, labels))


class Sender(ABC):
    """Sends from several threads, as long as this context lasts."""

    def __init__(self, threads: int) -> None:
        self._numbers = itertools.count()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    @abstractmethod
    def _send(self) -> None:
        """Send numbered payloads until `_is_over` is set; called in each thread."""


class Flood(Sender):
    """Posts payloads from several threads until it ends, whether or not the server still answers.

    Attributes:
        acknowledged: the labels that were answered 200 or 202.
    """

    def __init__(self, server: Running, threads: int = 4) -> None:
        super().__init__(threads)
        self.acknowledged: set[str] = set()
        self._server = server

    def _send(self) -> None:
        while not self._is_over.is_set():
            label = f"flood-{next(self._numbers)}"
            try:
                status = self._server.post(label).status
            except (OSError, http.client.HTTPException):
                status = 0  # The server ends, and acknowledges nothing.
            if status in ACKNOWLEDGED:
                self.acknowledged.add(label)
            self._is_over.wait(_PAUSE)
