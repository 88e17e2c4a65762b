"""What an endpoint has counted in this process."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

from unisights._runtime.fork import reset_in_children

RefusalReason = Literal[
    "forbidden_origin",
    "wrong_method",
    "wrong_content_type",
    "wrong_content_encoding",
    "too_large",
    "cut_body",
    "invalid_json",
    "invalid_payload",
    "invalid_events",
    "undecryptable",
    "queue_full",
    "spool_full",
    "spool_failed",
    "shutting_down",
]
"""Why a request is refused; stable codes."""

Counted = Literal[
    "accepted", "duplicate", "queued", "delivered", "failed", "retried", "dead", "quarantined"
]
"""What is counted beside refusals, each in the attribute of `Stats` with that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What an endpoint has counted since its process began, and what is waiting now.

    Attributes:
        received: requests that were decided, preflights excluded: `accepted` and all `refused`.
        accepted: valid payloads that were accepted.
        duplicate: how many of these were dropped as duplicates.
        queued: how many of these were answered 202: they went into the queue, or into the spool.
        delivered: calls of the handler that succeeded; payloads, if there is no handler.
        failed: calls of the handler that raised, and payloads that were still waiting or being
            handled when the process ended and were passed to `on_error`.
        retried: how often a payload was rescheduled after a failed attempt; from the spool only.
        dead: payloads that became dead letters.
        quarantined: events that were quarantined, of bodies that were not refused.
        refused: requests that were refused, by reason.
        waiting: payloads that wait or are being handled now: in this process, or in the spool by
            all processes of the host, as of about a second ago. None if the spool is not open.
        waiting_bytes: their bytes.
        dead_letters: dead letters in the spool, likewise; None without a spool.
        dead_letter_bytes: their bytes.
        rejected: rejected records in the spool, likewise.
        rejected_bytes: their bytes.
    """

    received: int
    accepted: int
    duplicate: int
    queued: int
    delivered: int
    failed: int
    retried: int
    dead: int
    quarantined: int
    refused: Mapping[RefusalReason, int]
    waiting: int | None
    waiting_bytes: int | None
    dead_letters: int | None
    dead_letter_bytes: int | None
    rejected: int | None
    rejected_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "refused": dict(self.refused)}


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is waiting now; None where it is not known."""

    waiting: int | None = None
    waiting_bytes: int | None = None
    dead_letters: int | None = None
    dead_letter_bytes: int | None = None
    rejected: int | None = None
    rejected_bytes: int | None = None


class Counters:
    """Counts exactly, from any number of threads; a forked child begins at 0."""

    def __init__(self) -> None:
        self.reset_after_fork()
        reset_in_children(self)

    def reset_after_fork(self) -> None:
        """Begin at 0; the lock may have been held."""
        self._lock = threading.Lock()
        self._counts: dict[Counted, int] = dict.fromkeys(get_args(Counted), 0)
        self._refused: dict[RefusalReason, int] = dict.fromkeys(get_args(RefusalReason), 0)

    def add(self, name: Counted, count: int = 1) -> None:
        """Count something that has happened once, or so many times."""
        with self._lock:
            self._counts[name] += count

    def add_each(self, names: Iterable[Counted]) -> None:
        """Count several things that have happened once, in less time than one by one."""
        with self._lock:
            for name in names:
                self._counts[name] += 1

    def refuse(self, reason: RefusalReason) -> None:
        """Count a refusal."""
        with self._lock:
            self._refused[reason] += 1

    def snapshot(self, held: Gauges) -> Stats:
        """Return what has been counted, beside what is waiting."""
        with self._lock:
            counts = self._counts.copy()
            refused = self._refused.copy()
        return Stats(
            received=counts["accepted"] + sum(refused.values()),
            refused=MappingProxyType(refused),
            **counts,
            waiting=held.waiting,
            waiting_bytes=held.waiting_bytes,
            dead_letters=held.dead_letters,
            dead_letter_bytes=held.dead_letter_bytes,
            rejected=held.rejected,
            rejected_bytes=held.rejected_bytes,
        )


ReadGauges = Callable[[], Gauges]
"""Returns what is waiting now."""
