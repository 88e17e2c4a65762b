"""The load: numbered payloads, and which of them were acknowledged."""

import http.client
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field

from tests.processes import wait_for
from tests.servers.senders import Sender
from tests.support import click, make_body
from unisights._schema.content_id import digest

_PADDING = "x" * 1500
"""Makes the bodies about as large as those of browsers."""


@dataclass
class Sent:
    """What became of the payloads that were sent.

    Attributes:
        acknowledged: the content id of each that was acknowledged, by its label.
        statuses: how many answers of each status there were; 0: none.
    """

    acknowledged: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)


class Load(Sender):
    """Sends numbered payloads from several threads until it ends, whatever the server does.

    As browsers do, it sends each payload once: what is not acknowledged is not sent again.
    """

    def __init__(
        self, port: int, *, threads: int = 4, pause: float = 0.01, prefix: str = "payload"
    ) -> None:
        super().__init__(threads)
        self.sent = Sent()
        self._port = port
        self._pause = pause
        self._prefix = prefix
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Let it go on for a while."""
        self._is_over.wait(seconds)

    def wait_until_served(self) -> None:
        """Wait until more payloads have been acknowledged."""
        before = len(self.sent.acknowledged)
        wait_for(lambda: len(self.sent.acknowledged) > before + 10, "acknowledgements")

    def wait_until_refused(self) -> None:
        """Wait until more payloads have been answered 503."""
        before = self.sent.statuses[503]
        wait_for(lambda: self.sent.statuses[503] > before, "an answer of 503")

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._is_over.is_set():
            label = f"{self._prefix}-{next(self._numbers)}"
            body = make_body(
                asset_id=label,
                session_id=str(uuid.uuid4()),
                entry_page=f"https://{_PADDING}/",
                events=[click(), click()],
            )
            status = _post(connection, body)
            with self._lock:
                self.sent.statuses[status] += 1
                if status in {200, 202}:
                    self.sent.acknowledged[label] = digest(body)
            self._is_over.wait(self._pause)
        connection.close()


def _post(connection: http.client.HTTPConnection, body: bytes) -> int:
    try:
        connection.request("POST", "/events", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # The next request opens it again.
        return 0
    return answer.status
