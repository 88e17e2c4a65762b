"""A line between an app and its sink, which can be slow, break, or be cut."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Iterator

from tests.processes import DEADLINE

_RESET = struct.pack("ii", 1, 0)
"""As SO_LINGER: a connection that is closed is reset, and what was on its way is gone."""


class Proxy:
    """Passes on what comes to a port of its own.

    Attributes:
        port: where it listens, on loopback.
        to_port: where it passes things on to.
        is_cut: whether every connection is reset.
        delay: how long everything takes on its way, in seconds.
        breaks: which part of what passes ends in a reset of its connection, on either side of it:
            the other end has got it, or has not.
    """

    def __init__(self) -> None:
        self.to_port = 0
        self.is_cut = False
        self.delay = 0.0
        self.breaks = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        listening = asyncio.start_server(self._serve, sock=self._listener)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(DEADLINE)

    def cut(self) -> None:
        """Reset every connection, and all that come from now on."""
        self.is_cut = True
        self._loop.call_soon_threadsafe(self._end_all)

    def restore(self) -> None:
        """Pass everything on again, at once and whole."""
        self.is_cut = False
        self.delay = self.breaks = 0.0

    def close(self) -> None:
        """End all connections, and listen no more."""

        async def end() -> None:
            self._server.close()
            self._end_all()
            await asyncio.gather(*self._connections, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _end_all(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [writer]
        try:
            if not self.is_cut:
                there, to_there = await asyncio.open_connection("127.0.0.1", self.to_port)
                writers.append(to_there)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, to_there))
                    group.create_task(self._pass(there, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # One end has gone, or is to believe so.
        finally:
            self._connections.discard(task)
            for each in writers:
                _reset(each)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.delay)
            place = random.random()
            if place < self.breaks / 2:
                break
            writer.write(data)
            await writer.drain()
            if place < self.breaks:
                break
        raise ConnectionResetError


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@contextlib.contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy until this ends."""
    made = Proxy()
    try:
        yield made
    finally:
        made.close()
