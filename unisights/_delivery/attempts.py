"""One attempt to deliver a payload of the spool, and what follows from its failure."""

import json
import logging
import random
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import msgspec

from unisights._decoding.quarantine import Selection
from unisights._delivery.base import DeliveryContext, report_failure
from unisights._delivery.handler import ManagedHandler
from unisights._runtime.calls import call_aside
from unisights._runtime.event_loop import as_exception
from unisights._spool.workers import Job
from unisights._spool.writer import SpoolWriter
from unisights.errors import UndeliveredError, UnisightsError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

_REASON_LENGTH = 500
"""At most so much of an exception's text is kept with a payload."""

_MAX_DOUBLINGS = 60

_encode = msgspec.json.Encoder().encode


class _UndecodableError(UnisightsError):
    """What is in the spool is no payload; says why without saying what it is."""


class Attempts:
    """Delivers the jobs of one process.

    Attributes:
        writer: where to settle what became of them; set before the first job comes.
    """

    writer: SpoolWriter

    def __init__(self, context: DeliveryContext, handler: ManagedHandler) -> None:
        self._context = context
        self._options = context.options
        self._handler = handler
        self._count = context.counters.one
        self._log = context.log.log

    def run(self, job: Job) -> None:
        """Deliver a payload, put it off, or give it up; in a thread."""
        try:
            payload, info = self._prepare(job)
        except Exception as error:  # noqa: BLE001  # whatever it is, it will not get better
            self._give_up(job, error, failed=not isinstance(error, UndeliveredError))
            self._report(job, error)
            return
        try:
            self._handler.call_sync(payload, lambda: info)
        except BaseException as error:  # noqa: BLE001  # a worker outlives whatever is raised
            failure = as_exception(error)
            if self._fail(job, failure):
                self._report(job, failure)
        else:
            self._delivered(job)

    async def run_async(self, job: Job) -> None:
        """Likewise, for an async handler; on an event loop, which other handlers share."""
        try:
            payload, info = self._prepare(job)
        except Exception as error:  # noqa: BLE001
            self._give_up(job, error, failed=not isinstance(error, UndeliveredError))
            await call_aside(self._report, job, error)
            return
        try:
            await self._handler.call_async(payload, lambda: info)
        except BaseException as error:  # noqa: BLE001  # the loop is not one handler's to end
            failure = as_exception(error)
            if self._fail(job, failure):
                # `on_error` may block, or need this loop.
                await call_aside(self._report, job, failure)
        else:
            self._delivered(job)

    def _delivered(self, job: Job) -> None:
        self._count("delivered")
        self.writer.delivered(job)

    def expel(self, jobs: Iterable[Job]) -> None:
        """Hand over dead letters that there is no room for any more."""
        for job in jobs:
            error = UndeliveredError("it was the oldest dead letter, and dead_letter_bytes is full")
            message = "a dead letter was dropped: %s"
            self._log(logging.ERROR, "dead_letter_dropped", message, error)
            self._report(job, error)

    def _fail(self, job: Job, error: Exception) -> bool:
        """Put a payload off, or give it up; whether it was given up."""
        attempts = job.attempts + 1
        if attempts >= self._options.max_attempts:
            self._give_up(job, error, failed=True)
            return True
        bound = self._options.retry_delay * 2.0 ** min(job.attempts, _MAX_DOUBLINGS)
        # A random part, so that what failed together is not tried again together.
        seconds = random.uniform(0, min(bound, self._options.retry_max_delay))  # noqa: S311
        self.writer.put_off(job, seconds=seconds, reason=_words(error))
        self._count("failed")
        self._count("retried")
        self._log(
            logging.WARNING,
            "handler_failed",
            "the handler failed, attempt %d of %d; again in %.1f s",
            attempts,
            self._options.max_attempts,
            seconds,
            error=error,
            attempt=attempts,
            delay=round(seconds, 3),
        )
        return False

    def _give_up(self, job: Job, error: Exception, *, failed: bool) -> None:
        self.writer.give_up(job, reason=_words(error), failed=failed)
        if failed:
            self._count("failed")
        self._count("dead")
        self._log(
            logging.ERROR,
            "dead_letter",
            "a payload became a dead letter: %s",
            _words(error),
            error=error if failed else None,
            attempt=job.attempts + failed,
        )

    def _report(self, job: Job, error: Exception) -> None:
        try:
            payload, _info = self._decoded(job)
        except _UndecodableError as undecodable:
            message = "a payload of the spool: %s"
            self._log(logging.ERROR, "undecodable", message, undecodable)
        else:
            report_failure(self._context, payload, error)

    def _prepare(self, job: Job) -> tuple[UnisightsPayload, RequestInfo]:
        if job.age > self._options.max_age:
            raise UndeliveredError("it waited longer than max_age")
        return self._decoded(job)

    def _decoded(self, job: Job) -> tuple[UnisightsPayload, RequestInfo]:
        if job.payload is None or job.info is None:
            assert job.row is not None  # noqa: S101  # narrows a type
            left_out = job.row.quarantined
            selection = None if left_out is None else Selection.without(json.loads(left_out))
            try:
                job.payload = self._context.decode(job.row.raw, selection)
                job.info = read_request(job.row.request, job.row.received_at)
            except Exception as error:  # noqa: BLE001
                # Its words may be the payload's.
                raise _UndecodableError(f"it cannot be decoded: {type(error).__name__}") from None
            job.payload.received_at = job.row.received_at
        return job.payload, job.info


def write_request(info: RequestInfo) -> str:
    """What the spool keeps of a request, as JSON."""
    content = info.to_dict()
    try:
        return _encode(content).decode()
    except UnicodeEncodeError:
        return json.dumps(content)  # Surrogates, which servers make of undecodable bytes.


def read_request(text: str, received_at: int) -> RequestInfo:
    """The request that was written so."""
    content: dict[str, Any] = json.loads(text)
    return RequestInfo(
        method=content["method"],
        path=content["path"],
        headers=MappingProxyType(content["headers"]),
        client=content["client"],
        received_at=received_at,
    )


def _words(error: Exception) -> str:
    """An exception in words that the spool takes: what it quotes is the user's or a visitor's."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  # it may not even have any
        words = "without words"
    # Lone surrogates come with file names, and out of the JSON text of custom events.
    words = f"{type(error).__name__}: {words}"[:_REASON_LENGTH]
    return words.encode("utf-8", "backslashreplace").decode()
