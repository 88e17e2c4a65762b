"""What may go wrong, each told as a story that ends in a report."""

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.chaos.destinations import DESTINATIONS, Destination, Found, destination
from tests.chaos.load import Load, Sent
from tests.chaos.target import TARGETS, Target, target
from tests.processes import wait_for
from tests.stopped import stopped

SETTLE_SECONDS = 60.0
"""How long, at the end, nothing may be delivered before what is missing counts as lost."""

_SOON = 5.0
"""Likewise, where nothing is tried again later."""

_TMPFS_BYTES = 8 * 1024 * 1024

_FILE_BYTES = 1024 * 1024

_DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Report:
    """How a scenario ended.

    Attributes:
        acknowledged: how many payloads were answered 202, or 200.
        delivered: how many of them reached the handler, or the sink's destination.
        duplicated: how many more times than once.
        lost: how many never did.
        mistaken: how many deliveries carried another content id than what was sent.
        refused: how many were answered 503, and how many not at all.
        note: how the trouble was made.
    """

    scenario: str
    target: str
    acknowledged: int
    delivered: int
    duplicated: int
    lost: int
    mistaken: int
    refused: int
    unanswered: int
    note: str

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, and something was there to be lost."""
        return not self.lost and not self.mistaken and self.acknowledged > 0


def kills(name: str, directory: Path, *, count: int) -> Report:
    """SIGKILL of a random worker, the master or all, so many times, at random moments."""
    done = {"worker": 0, "master": 0, "all": 0}
    with target(name, directory) as server, Load(server.port) as load:
        for number in range(count):
            load.wait_until_served()
            load.wait(random.uniform(0, 1))
            victim = random.choice(("worker", "worker", "master", "all"))
            # Two of each kind at least, where there are enough.
            victim = ("worker", "master", "all")[number % 3] if number < 6 else victim
            done[victim] += 1
            if victim == "worker":
                server.kill_worker()
            else:
                (server.kill_master if victim == "master" else server.kill_all)()
                server.start()
        load.wait_until_served()
        note = ", ".join(f"{victim} {times} times" for victim, times in done.items())
        return _settle("kill", server, load, f"SIGKILL: {note}")


def outage(name: str, directory: Path, *, seconds: float) -> Report:
    """The handler fails always, for a while; then it is slow; then it fails half the time."""
    with target(name, directory) as server, Load(server.port) as load:
        load.wait_until_served()
        server.set_mood(fails=1)
        load.wait(seconds)
        server.set_mood(delay=0.3)
        load.wait(seconds / 4)
        server.set_mood(fails=0.5)
        load.wait(seconds / 4)
        server.set_mood()
        load.wait(1)
        return _settle("outage", server, load, f"down for {seconds:.0f} s, then slow, then failing")


def terminations(name: str, directory: Path, *, count: int) -> Report:
    """SIGTERM under load with a slow handler, and a new start, so many times."""
    options = {"drain_timeout": 1.0, "max_concurrency": 2}
    with target(name, directory, options=options) as server, Load(server.port) as load:
        server.set_mood(delay=0.05)
        for _ in range(count):
            load.wait_until_served()
            load.wait(random.uniform(0, 1))
            server.terminate()
            server.start()
        load.wait_until_served()
        server.set_mood()
        return _settle("sigterm", server, load, f"SIGTERM: {count} times")


def stops(name: str, directory: Path, *, count: int) -> Report:
    """A process stops inside a transaction, so many times; then once more until after a SIGTERM."""
    with (
        target(name, directory, options={"drain_timeout": 1.0}) as server,
        Load(server.port) as load,
    ):
        for number in range(count + 1):
            load.wait_until_served()
            with stopped(server.spool) as sibling:
                load.wait_until_refused()
                if number == count:
                    server.terminate()
                sibling.go_on()
        server.start()
        load.wait_until_served()
        return _settle("stop", server, load, f"SIGSTOP inside a transaction: {count + 1} times")


def full_disk(name: str, directory: Path, *, seconds: float) -> Report:
    """The disk of the spool is filled up under load, the server is killed, and room comes back."""
    with _small_disk(directory) as disk:
        filling = (disk or directory) / "filling"
        note = f"a tmpfs of {_TMPFS_BYTES >> 20} MiB was filled up"
        limit = None
        if disk is None:
            note = f"no tmpfs could be mounted: files were limited to {_FILE_BYTES >> 20} MiB"
            limit = _FILE_BYTES
        spool = (disk or directory) / "spool.sqlite3"
        options = {"max_concurrency": 2}
        with (
            target(name, directory, spool=spool, options=options, file_limit=limit) as server,
            Load(server.port) as load,
        ):
            server.set_mood(delay=0.02)
            load.wait_until_served()
            load.wait(seconds / 2)
            if disk is not None:
                _fill(filling)
            load.wait_until_refused()
            load.wait(seconds)
            # A crash while the disk is full must leave a spool that works.
            server.kill_all()
            filling.unlink(missing_ok=True)
            server.file_limit = None
            server.start()
            load.wait_until_served()
            server.set_mood()
            return _settle("disk", server, load, note)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def clock_back(name: str, directory: Path, *, seconds: float) -> Report:
    """The time of day is set back by a day, while payloads wait to be tried again."""
    with target(name, directory, has_clock=True) as server, Load(server.port) as load:
        load.wait_until_served()
        server.set_mood(fails=1)
        load.wait(seconds / 2)
        server.set_clock(-_DAY)
        load.wait(seconds / 2)
        # Neither what is rescheduled nor what a dead process has left may wait for the next day.
        server.kill_worker()
        server.set_mood()
        load.wait_until_served()
        return _settle("clock", server, load, "a day back; the servers' time module was replaced")


def lost_files(name: str, directory: Path, *, count: int) -> Report:
    """Files of the spool are removed under load, then a worker is killed, so many times."""
    beside = ("-wal", "-shm", "-lock", "-owner-*")
    with target(name, directory) as server, Load(server.port) as load:
        spool = server.spool
        server.set_mood(delay=0.02)
        for number in range(count):
            load.wait_until_served()
            load.wait(random.uniform(0, 1))
            for end in (("", *beside), beside, beside[:2], beside[2:], ("",))[number % 5]:
                for file in spool.parent.glob(f"{spool.name}{end}"):
                    file.unlink(missing_ok=True)
            # What nobody has open any more is lost: somebody has to notice first.
            wait_for(lambda: _has_files(spool), "the making of new files")
            server.kill_worker()
        load.wait_until_served()
        server.set_mood()
        note = f"files of the spool removed, and a worker killed: {count} times"
        return _settle("files", server, load, note)


def _has_files(spool: Path) -> bool:
    return all(spool.with_name(f"{spool.name}{end}").exists() for end in ("", "-wal", "-shm"))


def sink_outage(
    name: str, directory: Path, *, seconds: float, sink: str, delivery: str = "durable"
) -> Report:
    """A sink's server goes down for a while, hangs, is slow, answers errors, loses connections.

    In the middle of each, a worker is killed.
    """
    with (
        destination(sink) as place,
        target(name, directory, sink=place.url, delivery=delivery) as server,
        Load(server.port) as load,
    ):
        load.wait_until_served()
        for trouble, share in _troubles(place):
            with trouble:
                load.wait(seconds * share / 2)
                server.kill_worker()
                load.wait(seconds * share / 2)
            load.wait_until_served()
        said = ", ".join((*place.errors, "connections reset"))
        note = (
            f"{delivery}; {place.outage} for {seconds:.0f} s, frozen, slow, {said}; workers killed"
        )
        scenario = sink if delivery == "durable" else f"{sink}-{delivery}"
        patience = SETTLE_SECONDS if delivery == "durable" else _SOON
        return _settle(scenario, server, load, note, found=place.found, patience=patience)


def _troubles(place: Destination) -> Iterator[tuple[AbstractContextManager[None], float]]:
    """Each trouble, and how long it lasts beside the first one."""

    @contextlib.contextmanager
    def between(begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
        begin()
        try:
            yield
        finally:
            end()

    line = place.line
    yield between(place.go_down, place.come_back), 1
    yield between(place.service.freeze, place.service.resume), 1 / 4
    yield between(partial(setattr, line, "delay", 0.3), line.restore), 1 / 4
    for kind in place.errors:
        begin, end = partial(place.begin_errors, kind), partial(place.end_errors, kind)
        yield between(begin, end), 1 / 4
    yield between(partial(setattr, line, "breaks", 0.2), line.restore), 1 / 4


SCENARIOS: dict[str, Callable[..., Report]] = {
    "kill": kills,
    "outage": outage,
    "sigterm": terminations,
    "stop": stops,
    "disk": full_disk,
    "clock": clock_back,
    "files": lost_files,
    **{sink: partial(sink_outage, sink=sink) for sink in DESTINATIONS},
    **{
        f"{sink}-inline": partial(sink_outage, sink=sink, delivery="inline")
        for sink in DESTINATIONS
    },
    "redis-background": partial(sink_outage, sink="redis", delivery="background"),
}


@dataclass(frozen=True)
class Plan:
    """A scenario, on a target, with its measure: a number of times, or of seconds."""

    scenario: str
    target: str
    measure: float

    def run(self, directory: Path) -> Report:
        """Run it; its files go into the directory."""
        name = "count" if self.scenario in {"kill", "sigterm", "stop", "files"} else "seconds"
        measure = int(self.measure) if name == "count" else self.measure
        return SCENARIOS[self.scenario](self.target, directory, **{name: measure})


SHORT = [
    Plan("kill", "fastapi", 3),
    Plan("kill", "flask", 3),
    Plan("kill", "django", 3),
    Plan("outage", "flask", 2),
    Plan("sigterm", "django", 1),
    Plan("stop", "fastapi", 0),
    Plan("disk", "flask", 1),
    Plan("clock", "django", 1),
    Plan("postgres", "fastapi", 2),
    Plan("redis", "flask", 2),
    Plan("kafka", "django", 2),
    Plan("postgres-inline", "django", 2),
    Plan("redis-inline", "fastapi", 2),
    Plan("kafka-inline", "flask", 2),
]

LONG = [
    *(Plan("kill", name, 20) for name in TARGETS),
    *(Plan("outage", name, 60) for name in ("fastapi", "flask", "django")),
    *(Plan("sigterm", name, 5) for name in TARGETS),
    *(Plan("stop", name, 3) for name in TARGETS),
    *(Plan("disk", name, 10) for name in ("fastapi", "flask", "django")),
    *(Plan("clock", name, 5) for name in ("fastapi", "flask", "django")),
    *(Plan("files", name, 10) for name in ("fastapi", "flask", "django")),
    *(Plan(sink, name, 60) for sink in DESTINATIONS for name in ("fastapi", "flask", "django")),
    *(
        Plan(f"{sink}-inline", name, 20)
        for sink in DESTINATIONS
        for name in ("fastapi", "flask", "django")
    ),
]

EARLY = [Plan("redis-background", name, 1) for name in ("flask", "django", "fastapi")]
"""They acknowledge what is in memory only, so they must be found to lose some of it."""


def _settle(
    scenario: str,
    server: Target,
    load: Load,
    note: str,
    *,
    found: Callable[[], Found] | None = None,
    patience: float = SETTLE_SECONDS,
) -> Report:
    """End the load, wait until delivery has caught up, and count."""
    load.__exit__(None, None, None)
    sent: Sent = load.sent
    read = found or server.handled
    handled = read()
    changed_at = time.monotonic()
    while sent.acknowledged.keys() - handled.keys():
        time.sleep(0.2)
        before, handled = handled, read()
        if len(handled) > len(before):
            changed_at = time.monotonic()
        elif time.monotonic() > changed_at + patience:
            break
    delivered = [label for label in sent.acknowledged if label in handled]
    return Report(
        scenario=scenario,
        target=server.name,
        acknowledged=len(sent.acknowledged),
        delivered=len(delivered),
        duplicated=sum(len(handled[label]) - 1 for label in delivered),
        lost=len(sent.acknowledged) - len(delivered),
        mistaken=sum(
            content_id != sent.acknowledged[label]
            for label in delivered
            for content_id in handled[label]
        ),
        refused=sent.statuses[503],
        unanswered=sent.statuses[0],
        note=note,
    )


@contextlib.contextmanager
def _small_disk(directory: Path) -> Iterator[Path | None]:
    """A disk of its own, if one can be mounted."""
    disk = directory / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES}", "tmpfs", str(disk)]
    is_root = os.geteuid() == 0
    if not is_root or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield disk
    finally:
        # Lazily: what was killed a moment ago may still hold a file.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
