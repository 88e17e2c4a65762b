"""Where sinks store, and what may go wrong there: real servers, each behind a line of its own."""

import contextlib
import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from tests.chaos.proxy import Proxy, proxy
from tests.sinks import services
from tests.sinks.places import kafka_messages
from tests.sinks.services import Service

Found = dict[str, list[str]]
"""The content ids of what was found, by the payload's label."""


class Destination(ABC):
    """A server, and the line to it.

    Attributes:
        errors: what it can be made to answer, as people say it.
        outage: how it goes down, likewise.
    """

    errors: tuple[str, ...] = ()
    outage = "killed"

    def __init__(self, service: Service, line: Proxy) -> None:
        self.service = service
        self.line = line

    @property
    @abstractmethod
    def url(self) -> str:
        """What `unisights serve --sink` would take."""

    @abstractmethod
    def found(self) -> Found:
        """All that is stored there."""

    def go_down(self) -> None:
        """End as a crash does."""
        self.service.kill()

    def come_back(self) -> None:
        """Start again, with what it had confirmed."""
        self.service.start()

    def begin_errors(self, kind: str) -> None:  # noqa: B027  # not all have errors to make
        """Answer errors only."""

    def end_errors(self, kind: str) -> None:  # noqa: B027
        """Store again."""


class Postgres(Destination):
    """A PostgreSQL. Each payload must be there once, and with all its events."""

    errors = ("read-only", "no table")

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.line.port}/postgres"

    def found(self) -> Found:
        rows = self._execute(
            "SELECT asset_id, content_id FROM unisights.payloads p WHERE event_count ="
            " (SELECT count(*) FROM unisights.events WHERE payload_id = p.id)"
        )
        return _by_label(rows)

    def begin_errors(self, kind: str) -> None:
        if kind == "read-only":
            self._execute("ALTER SYSTEM SET default_transaction_read_only = on")
            self._execute("SELECT pg_reload_conf()")
        else:
            self._execute("ALTER TABLE unisights.payloads RENAME TO away")

    def end_errors(self, kind: str) -> None:
        if kind == "read-only":
            self._execute("ALTER SYSTEM RESET default_transaction_read_only")
            self._execute("SELECT pg_reload_conf()")
        else:
            self._execute("ALTER TABLE unisights.away RENAME TO payloads")

    def _execute(self, statement: str) -> list[tuple[str, str]]:
        import psycopg

        dsn = f"postgresql://postgres@127.0.0.1:{self.service.port}/postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


class Redis(Destination):
    """A Redis that has each change on its disk before it confirms."""

    errors = ("out of memory",)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.line.port}/0?stream=unisights"

    def found(self) -> Found:
        import redis

        with redis.Redis(port=self.service.port) as client:
            entries = client.xrange("unisights")
        return _by_label(
            (json.loads(fields[b"data"])["asset_id"], fields[b"content_id"].decode())
            for _, fields in entries
        )

    def begin_errors(self, kind: str) -> None:
        self._set_memory(1)

    def end_errors(self, kind: str) -> None:
        self._set_memory(0)

    def _set_memory(self, size: int) -> None:
        import redis

        with redis.Redis(port=self.service.port) as client:
            client.config_set("maxmemory", size)


class Kafka(Destination):
    """A broker that forgets when it ends: so the line to it is cut, and it goes on."""

    outage = "cut off"

    @property
    def url(self) -> str:
        return f"kafka://127.0.0.1:{self.line.port}/unisights"

    def found(self) -> Found:
        records = [
            json.loads(message.value())
            for message in kafka_messages(f"127.0.0.1:{self.line.port}", "unisights")
        ]
        return _by_label((record["data"]["asset_id"], record["content_id"]) for record in records)

    def go_down(self) -> None:
        self.line.cut()

    def come_back(self) -> None:
        self.line.restore()


def _by_label(pairs: Iterable[tuple[str, str]]) -> Found:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for label, content_id in pairs:
        found[label].append(content_id)
    return found


DESTINATIONS: dict[
    str, tuple[type[Destination], Callable[[Proxy], AbstractContextManager[Service]]]
] = {
    "postgres": (Postgres, lambda _line: services.postgres()),
    "redis": (Redis, lambda _line: services.redis()),
    "kafka": (Kafka, lambda line: services.kafka(line.port)),
}
"""Each kind, and how its server is run."""


@contextlib.contextmanager
def destination(name: str) -> Iterator[Destination]:
    """Run a destination until this ends; skip what asked for it if its server is missing."""
    kind, run = DESTINATIONS[name]
    with proxy() as line, run(line) as service:
        line.to_port = service.port
        yield kind(service, line)
