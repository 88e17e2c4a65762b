"""An HTTP client that says exactly what it is told to, and whose connections are for one use."""

import contextlib
import http.client
import json
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.processes import DEADLINE

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """One answer; status 0 means that there was none."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that came at most once."""
        values = self.headers.get_all(name, [])
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


NO_ANSWER = Answer(0, http.client.HTTPMessage(), b"")


def exchange(
    port: int,
    method: str,
    *,
    body: bytes | None = None,
    chunks: Iterable[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Make one request of a server on loopback.

    Args:
        port: the server's port.
        method: the request's method.
        body: the body, whose length is declared.
        chunks: the body's pieces, instead; they are sent chunked.
        headers: the headers; without any, a POST is said to be JSON.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    sent = {"Connection": "close", **(headers or (JSON if method == "POST" else {}))}
    if chunks is not None:
        sent["Transfer-Encoding"] = "chunked"
    try:
        connection.request(
            method, "/events", body if chunks is None else chunks, sent, encode_chunked=True
        )
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def converse(port: int, calls: Iterable[tuple[str, bytes | None, dict[str, str]]]) -> list[int]:
    """Make several requests (method, body, headers) of one connection; return the statuses.

    A server may end the connection after any answer, if it says so in it.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    statuses = []
    try:
        for method, body, headers in calls:
            connection.request(method, "/events", body, headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
    finally:
        connection.close()
    return statuses


def head(**headers: str) -> bytes:
    """The head of a POST of JSON; underscores in the names stand for dashes."""
    named = {"Host": "localhost", **JSON, **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join(["POST /events HTTP/1.1", *lines, "", ""]).encode()


def send_and_leave(port: int, sent: bytes) -> Answer:
    """Send some bytes, end the connection's sending side, and read what is answered, if so."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return _read_answer(client)


def ask_and_send(port: int, body: bytes, **headers: str) -> Answer:
    """Ask with `Expect: 100-continue`, send the body only once the server wants it."""
    asked = head(Expect="100-continue", Content_Length=str(len(body)), **headers)
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(asked)
        line = client.recv(len(b"HTTP/1.1 100"), socket.MSG_PEEK | socket.MSG_WAITALL)
        if line == b"HTTP/1.1 100":
            # A server may say so, answer and close nonetheless.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(body)
        return _read_answer(client)


def send_endlessly(port: int, size: int) -> Answer:
    """Send a chunked body of blanks of a size, until it has been sent or is answered."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        # A server may answer and close at any time; what it has answered is read below.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(head(Transfer_Encoding="chunked", Connection="close"))
            for _ in range(size // 0x10000):
                if select.select([client], [], [], 0)[0]:
                    break
                client.sendall(chunk)
            else:
                client.sendall(b"0\r\n\r\n")
        return _read_answer(client)


def _read_answer(client: socket.socket) -> Answer:
    response = http.client.HTTPResponse(client)
    try:
        response.begin()
        return Answer(response.status, response.headers, response.read())
    except (http.client.HTTPException, ConnectionResetError):
        return NO_ANSWER
    finally:
        response.close()
