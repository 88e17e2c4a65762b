"""When the handler runs, and what becomes of payloads until then: the values of `delivery`."""

import os
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from unisights._checks import (
    MAX_SECONDS,
    check_bool,
    check_choice,
    check_positive,
    check_seconds,
)
from unisights.errors import ConfigurationError
from unisights.retry import Retry

__all__ = ["Background", "Delivery", "DeliveryName", "Durability", "Durable", "Inline"]

Durability = Literal["process", "power"]
"""What a payload in the spool survives: the end of the process, or a power failure, too."""

_MAX_AGE = 365 * MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Inline:
    """The handler runs before the response, which is 200, or 500 if the handler failed.

    `delivery="inline"` says the same.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The handler runs after the response, which is 202, from a queue in memory.

    `delivery="background"` stands for `Background()`.

    Attributes:
        queue_size: how many payloads may wait or be handled; when there are so many, the response
            is 503.
        queue_bytes: how many bytes of payloads, as received, may wait or be handled; likewise.
        max_concurrency: how many handlers may run at once in each process.
        drain_timeout: how long the end of the process, or `close`, waits for payloads in the
            queue, in seconds. After that, `on_error` may take up to 5 s and the handler's `close`
            up to 10 s. So it has to be well below the time that the process is given to end, such
            as 10 s by `docker stop`. Of several endpoints of a process, the longest holds, and
            what comes after that is shared by all.

    Raises:
        ConfigurationError: a value cannot work.
    """

    queue_size: int = 1000
    queue_bytes: int = 64 * 1024 * 1024
    max_concurrency: int = 10
    drain_timeout: float = 8.0

    def __post_init__(self) -> None:
        for name in ("queue_size", "queue_bytes", "max_concurrency"):
            check_positive(f"Background: {name}", getattr(self, name))
        check_seconds("Background: drain_timeout", self.drain_timeout)


@dataclass(frozen=True, slots=True)
class Durable:
    """The handler runs after the response, from a file, the spool, until it has succeeded.

    The response is 202, and is sent once the payload is in the spool.

    Attributes:
        spool: the file, on a local disk. Each handler needs a file of its own; all processes of
            the machine with that handler share it. It is made if it does not exist.
        durability: what an acknowledged payload survives. `"process"`: the end of the process,
            also by SIGKILL. `"power"`: a crash of the machine, too; each response then waits for
            the disk (fsync).
        ordered: deliver the payloads of one session one after the other, in the order in which
            they were stored. Later payloads of the session wait while an earlier one is retried.
        retry: how often a payload is attempted before it becomes a dead letter, and the pauses.
        max_age: the age at which a payload that waits is not attempted again but becomes a dead
            letter, in seconds. It counts anew after a restart of the machine.
        spool_bytes: how many bytes of payloads and their requests may wait in the spool; when it
            is full, the response is 503.
        dead_letter_bytes: how many bytes of dead letters are kept; the oldest are dropped first.
        rejected_bytes: how many bytes of rejected records are kept in the spool; the oldest are
            dropped first, and the newest is kept in any case.
        queue_size: how many waiting payloads each process holds in memory; the others are in the
            file only.
        queue_bytes: how many bytes of waiting payloads each process holds in memory; likewise.
        max_concurrency: how many handlers may run at once in each process.
        drain_timeout: how long the end of the process, or `close`, waits for running handlers, in
            seconds. After that, the handler's `close` may take up to 10 s. Of several endpoints of
            a process, the longest holds.

    Raises:
        ConfigurationError: a value cannot work, or this system has no locks for files.
    """

    spool: str | os.PathLike[str]
    _: KW_ONLY
    durability: Durability = "process"
    ordered: bool = False
    retry: Retry = Retry(attempts=50, pause=1.0, max_pause=600.0)  # noqa: RUF009  # it is frozen
    max_age: float = 7 * 24 * 60 * 60
    spool_bytes: int = 1024 * 1024 * 1024
    dead_letter_bytes: int = 256 * 1024 * 1024
    rejected_bytes: int = 64 * 1024 * 1024
    queue_size: int = 1000
    queue_bytes: int = 64 * 1024 * 1024
    max_concurrency: int = 10
    drain_timeout: float = 8.0

    def __post_init__(self) -> None:
        _check_spool(self.spool)
        check_choice("Durable: durability", self.durability, Durability)
        check_bool("Durable: ordered", self.ordered)
        if not isinstance(self.retry, Retry):
            raise ConfigurationError("Durable: retry must be a Retry, such as Retry(attempts=50)")
        check_seconds("Durable: max_age", self.max_age, greatest=_MAX_AGE)
        for name in ("spool_bytes", "dead_letter_bytes", "rejected_bytes"):
            check_positive(f"Durable: {name}", getattr(self, name))
        for name in ("queue_size", "queue_bytes", "max_concurrency"):
            check_positive(f"Durable: {name}", getattr(self, name))
        check_seconds("Durable: drain_timeout", self.drain_timeout)


DeliveryName = Literal["inline", "background"]
"""The deliveries that need no values: short for `Inline()` and `Background()`."""

Delivery = Inline | Background | Durable | DeliveryName
"""What the option `delivery` takes."""


def _check_spool(spool: object) -> None:
    is_path = isinstance(spool, str | os.PathLike) and isinstance(os.fspath(spool), str)
    if not is_path or not spool:
        raise ConfigurationError(f"Durable: spool must be the path of a file, not {spool!r}")
    from importlib.util import find_spec  # noqa: PLC0415  # takes a while, for few

    if find_spec("fcntl") is None:
        raise ConfigurationError(
            "Durable: this system has no locks for files; use Linux, macOS or another Unix, or "
            'delivery="inline"'
        )
