"""What happens to a host: each event is a function of a session, and returns what was sent."""

import contextlib
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.hosts import QUEUE_SIZE, Host
from tests.chaos.load import Load
from tests.chaos.target import Target
from tests.processes import wait_for
from tests.support import make_body

_LEAVERS = 24
"""How many clients leave before the answer."""

_PATIENCE = 3.0
"""How long nothing more may be accepted before no more is expected, in seconds."""

_STOPS = 3
"""How often a sibling process is stopped."""


@dataclass
class Happened:
    """What became of an event's payloads, as their clients saw it.

    Attributes:
        labels: what was acknowledged; where nobody saw an answer, None.
        accepted: how many payloads the endpoint has accepted, if nobody saw an answer.
        may_lose: how many may be lost.
        waits_for_traffic: whether a request is sent before the payloads are counted.
        notes: what else was seen.
    """

    labels: set[str] | None
    accepted: int = 0
    may_lose: int = 0
    waits_for_traffic: bool = True
    notes: list[str] = field(default_factory=list)


class Session:
    """A host that runs, and what the events need of it."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self.directory = directory
        self.spool = directory / "spool.sqlite3"
        self.server = host.make_target(directory, self.spool)

    def start(self) -> None:
        """Start the server, and wait until it serves."""
        self.server.start()
        self.wake()

    def wake(self) -> None:
        """Send a request until one is answered."""
        wait_for(lambda: _post_once(self.server.port, f"wake-{uuid.uuid4()}"), "an answer")

    @contextlib.contextmanager
    def sibling(self) -> Iterator[Target]:
        """Run another server with the same app and the same spool."""
        directory = self.directory / "sibling"
        directory.mkdir(exist_ok=True)
        other = self.host.make_target(self.directory, self.spool)
        other.runtime = directory
        try:
            other.start()
            wait_for(lambda: _post_once(other.port, f"wake-{uuid.uuid4()}"), "an answer")
            yield other
        finally:
            other.close()


def client_leaves(session: Session) -> Happened:
    """Clients send a payload, and go away while its handler is at work."""
    server = session.server
    server.set_mood(delay=0.1)
    before = server.accepted()
    with ThreadPoolExecutor(6) as pool:
        posts = [
            pool.submit(_post_and_leave, server.port, f"leaves-{number}")
            for number in range(_LEAVERS)
        ]
    for post in posts:
        post.result()
    # A server need not accept what comes from a client that has left already.
    accepted, seen_at = 0, time.monotonic()
    while accepted < _LEAVERS and time.monotonic() < seen_at + _PATIENCE:
        time.sleep(0.05)
        if (now := server.accepted() - before) > accepted:
            accepted, seen_at = now, time.monotonic()
    notes = [f"{_LEAVERS} sent"] if accepted != _LEAVERS else []
    return Happened(None, accepted=accepted, notes=notes)


def fork(session: Session) -> Happened:
    """A process of the app forks. It is sent SIGTERM while its child serves on for a while."""
    server, child = session.server, session.directory / "child"
    server.set_mood(delay=0.01)
    with Load(server.port, prefix="fork") as load:
        load.wait_until_served()
        (session.directory / "fork").touch()
        wait_for(child.exists, "an answer of the child")
    server.terminate()
    server.start()
    answers = [line.split() for line in child.read_text().splitlines()]
    acknowledged = {label for label, status in answers if status in {"200", "202"}}
    refused = len(answers) - len(acknowledged)
    notes = [f"{refused} refused in the child"] if refused else []
    return Happened(set(load.sent.acknowledged) | acknowledged, notes=notes)


def sigterm(session: Session) -> Happened:
    """The first process is sent SIGTERM under load, and the server is started again."""
    with _busy(session, "sigterm") as load:
        session.server.terminate()
        session.server.start()
    return Happened(set(load.sent.acknowledged))


def sigkill(session: Session) -> Happened:
    """All processes are sent SIGKILL under load, and the server is started again."""
    server = session.server
    with _busy(session, "sigkill") as load:
        count = len(server.workers()) or 1
        server.kill_all()
        may_lose = QUEUE_SIZE * count if session.host.delivery == "background" else 0
        server.start()
    return Happened(set(load.sent.acknowledged), may_lose=may_lose)


def restart(session: Session) -> Happened:
    """The server is stopped while payloads wait, and started again. Nothing is sent afterwards."""
    with _busy(session, "restart") as load:
        pass
    session.server.terminate()
    session.server.start()
    return Happened(set(load.sent.acknowledged), waits_for_traffic=False)


def destination_down(session: Session) -> Happened:
    """The handler fails always, for a while; then it works again."""
    server = session.server
    server.set_mood()
    with Load(server.port, prefix="outage") as load:
        load.wait_until_served()
        server.set_mood(fails=1)
        load.wait(1)
        server.set_mood()
        load.wait_until_served()
    statuses = load.sent.statuses
    notes = [f"{statuses[500]} answered 500"] if statuses[500] else []
    return Happened(set(load.sent.acknowledged), notes=notes)


def sibling_stopped(session: Session) -> Happened:
    """Another server with the same spool is stopped under load, and continued, some times."""
    session.server.set_mood(delay=0.01)
    notes = []
    with (
        session.sibling() as other,
        Load(session.server.port, prefix="stopped") as load,
        Load(other.port, prefix="stopped-sibling") as theirs,
    ):
        for _ in range(_STOPS):
            theirs.wait_until_served()
            other.signal_all(signal.SIGSTOP)
            before = len(load.sent.acknowledged)
            load.wait(0.7)
            if len(load.sent.acknowledged) == before:
                notes = ["no answers while the sibling was stopped"]
            other.signal_all(signal.SIGCONT)
        theirs.wait_until_served()
        theirs.__exit__(None, None, None)
        other.terminate()
    return Happened(set(load.sent.acknowledged) | set(theirs.sent.acknowledged), notes=notes)


EVENTS: dict[str, Callable[[Session], Happened]] = {
    "client leaves": client_leaves,
    "fork": fork,
    "destination down": destination_down,
    "sibling stopped": sibling_stopped,
    "restart": restart,
    "SIGTERM": sigterm,
    "SIGKILL": sigkill,
}

PREFIXES = {
    "client leaves": "leaves-",
    "fork": "fork-",
    "destination down": "outage-",
    "sibling stopped": "stopped-",
    "restart": "restart-",
    "SIGTERM": "sigterm-",
    "SIGKILL": "sigkill-",
}
"""How the labels of each event's payloads begin."""


@contextlib.contextmanager
def _busy(session: Session, prefix: str) -> Iterator[Load]:
    """A load that is faster than the handlers."""
    session.server.set_mood(delay=0.03)
    with Load(session.server.port, prefix=prefix) as load:
        load.wait_until_served()
        load.wait(0.3)
        yield load


def _post_once(port: int, label: str) -> bool:
    body = make_body(asset_id=label)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(_request(body))
        return client.recv(12).split()[1:2] in ([b"200"], [b"202"])
    return False


def _post_and_leave(port: int, label: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(_request(make_body(asset_id=label)))
        time.sleep(0.05)


def _request(body: bytes) -> bytes:
    return (
        b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
