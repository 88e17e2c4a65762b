"""Drives apps in process, below any HTTP client: every byte and every disconnect is the test's."""

import asyncio
import io
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Call:
    """One request.

    Attributes:
        chunks: the body; more than one are sent without a Content-Length.
        disconnects: whether the client goes away instead of ending the body.
    """

    method: str = "POST"
    path: str = "/events"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    chunks: Iterable[bytes] = (b"",)
    disconnects: bool = False

    @property
    def is_chunked(self) -> bool:
        """Whether the body's length is not declared."""
        return not isinstance(self.chunks, tuple) or len(self.chunks) > 1


@dataclass
class Answer:
    """One answer; status 0 means that there was none."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that came at most once."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


NO_ANSWER = Answer(0, [], b"")


def is_on_event_loop() -> bool:
    """Whether an event loop runs in this thread, which must not be blocked then."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def call_asgi(app: Any, call: Call) -> Answer:
    """Make one request of an ASGI app."""
    return asyncio.run(acall_asgi(app, call))


async def acall_asgi(app: Any, call: Call) -> Answer:
    """Make one request of an ASGI app, in the running loop."""
    chunks = iter(call.chunks)
    upcoming = next(chunks, None)
    sent: list[Any] = []
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal upcoming
        if upcoming is None:
            if not call.disconnects:
                await answered.wait()
            return {"type": "http.disconnect"}
        chunk, upcoming = upcoming, next(chunks, None)
        more = upcoming is not None or call.disconnects
        return {"type": "http.request", "body": chunk, "more_body": more}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    await app(_scope(call), receive, send)
    if not sent:
        return NO_ANSWER
    headers = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], headers, body)


def call_wsgi(app: Any, call: Call) -> Answer:
    """Make one request of a WSGI app."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        started.append((int(status.split(maxsplit=1)[0]), headers))

    answer = app(_environ(call), start_response)
    try:
        body = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    status, headers = started[0]
    return Answer(status, [(name.lower(), value) for name, value in headers], body)


class _Stream(io.RawIOBase):
    """A body as a server presents it: read ends with nothing."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _environ(call: Call) -> dict[str, Any]:
    parts = urlsplit(call.path)
    environ = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": "testserver",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BufferedReader(_Stream(call.chunks)),
        # As gunicorn says of every body, whether it declares its length or not.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in call.headers.items():
        key = name.upper().replace("-", "_")
        environ[
            key if key.startswith("CONTENT_") and key != "CONTENT_ENCODING" else f"HTTP_{key}"
        ] = value
    if call.method == "POST" and "CONTENT_LENGTH" not in environ:
        if call.is_chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        else:
            missing = 10 if call.disconnects else 0
            environ["CONTENT_LENGTH"] = str(sum(map(len, call.chunks)) + missing)
    return environ


def _scope(call: Call) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in call.headers.items()]
    headers.append(("host", "testserver"))
    if not call.is_chunked and call.method == "POST":
        declared = [name for name, _ in headers]
        if "content-length" not in declared:
            headers.append(("content-length", str(sum(map(len, call.chunks)))))
    parts = urlsplit(call.path)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.7", 4711),
        "server": ("testserver", 80),
        "state": {},
    }
