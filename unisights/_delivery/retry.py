"""An attempt to deliver a payload of the spool, and what follows: a retry, or a dead letter."""

import json
import logging
from collections.abc import Iterable

from unisights._decoding.quarantine import Selection
from unisights._delivery.context import DeliveryContext
from unisights._delivery.handler import ManagedHandler
from unisights._delivery.on_error import is_permanent, report_failure, traceback_of
from unisights._runtime.callers import Caller, run_blocking
from unisights._runtime.event_loop import as_exception
from unisights._spool.stored_requests import read_request
from unisights._spool.workers import Job
from unisights._spool.writer import SpoolWriter
from unisights.delivery import Durable
from unisights.errors import UndeliveredError, UnisightsError
from unisights.request import RequestInfo
from unisights.types import UnisightsPayload

_ERROR_LENGTH = 500
"""At most so many characters of an exception's text are kept with a payload."""


class _UndecodableError(UnisightsError):
    """A payload of the spool cannot be decoded; the text does not quote it."""


class Attempts:
    """Attempts to deliver the jobs of one process.

    Args:
        context: what the delivery is given of its endpoint.
        durable: how often a payload is attempted, and until which age.
        handler: the user's handler.

    Attributes:
        writer: where the results are recorded; set before the first job comes.
    """

    writer: SpoolWriter

    def __init__(self, context: DeliveryContext, durable: Durable, handler: ManagedHandler) -> None:
        self._context = context
        self._handler = handler
        self._retry = durable.retry
        self._max_age = durable.max_age
        self._count = context.counters.add
        self._log = context.log.log

    async def run(self, job: Job, caller: Caller) -> None:
        """Deliver a payload; or reschedule it, or make it a dead letter."""
        try:
            payload, info = self._prepare(job)
        except UndeliveredError as error:
            await self._dead_letter(job, error, caller, failed=False)
            return
        except MemoryError as error:
            await self._fail(job, error, caller)
            return
        except Exception as error:  # noqa: BLE001  # another attempt would fail in the same way
            await self._dead_letter(job, error, caller, failed=True)
            return
        try:
            await self._handler.call(payload, lambda: info, caller)
        except BaseException as error:  # noqa: BLE001  # the worker has other jobs to do
            await self._fail(job, as_exception(error), caller)
        else:
            self._count("delivered")
            self.writer.complete(job)

    def report_evicted(self, jobs: Iterable[Job]) -> None:
        """Report dead letters for which there is no room any more; in a thread."""
        for job in jobs:
            error = UndeliveredError("it was the oldest dead letter, and dead_letter_bytes is full")
            message = "a dead letter was evicted: %s"
            self._log(logging.ERROR, "dead_letter_evicted", message, error)
            run_blocking(self._report(job, error, self._context.callers.in_worker))

    async def _fail(self, job: Job, error: Exception, caller: Caller) -> None:
        attempt = job.attempts + 1
        if attempt >= self._retry.attempts or is_permanent(error):
            await self._dead_letter(job, error, caller, failed=True)
        else:
            self._reschedule(job, attempt, self._retry.pause_after(attempt), error)

    def _reschedule(self, job: Job, attempt: int, delay: float, error: Exception) -> None:
        self.writer.reschedule(job, seconds=delay, error=_describe(error))
        self._count("failed")
        self._count("retried")
        self._log(
            logging.WARNING,
            "handler_failed",
            "the handler failed, attempt %d of %d; the next one follows in %.1f s",
            attempt,
            self._retry.attempts,
            delay,
            error=error,
            attempt=attempt,
            delay=round(delay, 3),
        )

    async def _dead_letter(
        self, job: Job, error: Exception, caller: Caller, *, failed: bool
    ) -> None:
        self.writer.dead_letter(job, error=_describe(error), failed=failed)
        if failed:
            self._count("failed")
        self._count("dead")
        self._log(
            logging.ERROR,
            "dead_letter",
            "a payload became a dead letter: %s",
            _describe(error),
            error=traceback_of(error) if failed else None,
            attempt=job.attempts + failed,
        )
        await self._report(job, error, caller)

    async def _report(self, job: Job, error: Exception, caller: Caller) -> None:
        try:
            payload, _info = self._decode(job)
        except (_UndecodableError, MemoryError) as undecodable:
            message = "a payload of the spool: %s"
            self._log(logging.ERROR, "undecodable", message, undecodable)
        else:
            await report_failure(self._context, payload, error, caller)

    def _prepare(self, job: Job) -> tuple[UnisightsPayload, RequestInfo]:
        if job.age > self._max_age:
            raise UndeliveredError("it waited longer than max_age")
        return self._decode(job)

    def _decode(self, job: Job) -> tuple[UnisightsPayload, RequestInfo]:
        if job.payload is None or job.info is None:
            assert job.row is not None  # noqa: S101  # narrows a type
            quarantined = job.row.quarantined
            selection = None if quarantined is None else Selection.without(json.loads(quarantined))
            try:
                job.payload = self._context.decode(job.row.raw, selection)
                job.info = read_request(job.row.request, job.row.received_at)
            except MemoryError:
                raise  # At the next attempt, there may be enough memory.
            except Exception as error:  # noqa: BLE001
                # The error's own text may quote the payload.
                raise _UndecodableError(f"it cannot be decoded: {type(error).__name__}") from None
            job.payload.received_at = job.row.received_at
        return job.payload, job.info


def _describe(error: Exception) -> str:
    """An exception in words that SQLite takes: it may quote anything of a visitor's."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  # an exception of the user's may have no text
        words = "without a text"
    # File names and the JSON text of custom events may hold lone surrogates.
    words = f"{type(error).__name__}: {words}"[:_ERROR_LENGTH]
    return words.encode("utf-8", "backslashreplace").decode()
