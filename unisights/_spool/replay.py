"""Validates rejections again, and stores for delivery those that are valid now."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec

from unisights._decoding.fast_path import decode_selected
from unisights._decoding.out_of_range_numbers import encode_parsed
from unisights._decoding.quarantine import Selection
from unisights._schema.checks import MAX_LISTED, Checks
from unisights._schema.content_id import digest
from unisights._spool.rejections import RejectionRow
from unisights._spool.rows import NewRow
from unisights._spool.store import Spool
from unisights._spool.tables import NOBODY
from unisights.errors import InvalidJSONError, ValidationError
from unisights.rejection import describe_problems
from unisights.schema import SCHEMA_VERSION

_CHECKS = Checks(max_problems=MAX_LISTED)

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Replay:
    """The result of a replay.

    Attributes:
        replayed: the number of rejections of which all or a part waits for delivery now.
        left: the number of rejections of which all or a part is still invalid.
    """

    replayed: int = 0
    left: int = 0


def replay(
    spool: Spool,
    ids: Collection[int] | None = None,
    *,
    server_secret: str | bytes | None = None,
    quarantines: bool = False,
) -> Replay:
    """Validate rejections by the present schema, and store the valid ones for delivery.

    A refused body that is valid now is stored as it is. For a body with quarantined events, a new
    unencrypted body is stored: the same session, with those of these events that are valid now.
    Both keep the time at which they were received. Each rejection is moved in one transaction, so
    that a replay delivers nothing twice.

    Args:
        spool: the spool; others may use it meanwhile.
        ids: the numbers of the rejections; None: all.
        server_secret: the secret that encrypted payloads were made with, if any.
        quarantines: whether to deliver a refused body if nothing but events in it is invalid;
            these events stay.

    Raises:
        StoreError: the spool cannot be written; the rejections before that have been moved.
    """
    done = Replay()
    for row_id, row in spool.rejections.read(ids):
        valid, left = _validate(row, server_secret, quarantines=quarantines)
        if valid is not None:
            with spool.transaction():
                if not spool.rejections.take(row_id, row):
                    continue  # Another replay was faster, or it was evicted.
                spool.insert([valid], [NOBODY])
                if left is not None:
                    spool.rejections.put(row_id, left)
            done.replayed += 1
        done.left += left is not None
    return done


def _validate(
    row: RejectionRow, server_secret: str | bytes | None, *, quarantines: bool
) -> tuple[NewRow | None, RejectionRow | None]:
    """Return the row to deliver and the row that stays a rejection; None: there is no such row."""
    indexes = row.indexes
    selection = Selection.only(indexes) if indexes else Selection(sets_aside=quarantines)
    try:
        decoded = decode_selected(row.raw, selection, server_secret=server_secret, checks=_CHECKS)
    except (InvalidJSONError, ValidationError):
        return None, row
    payload = decoded.payload
    if indexes and not payload.data.events:
        return None, row
    left = None
    if payload.quarantined:
        left = replace(
            row,
            reason="invalid_events",
            status=None,
            schema_version=SCHEMA_VERSION,
            problems=_encode(describe_problems(decoded.problems)).decode(),
            quarantined=_encode(payload.quarantined).decode(),
        )
    raw, quarantined = row.raw, None if left is None else left.quarantined
    if indexes:
        # The other events were accepted before. So this is a new body, with its own content id.
        session = {"data": decoded.session, "encrypted": False}
        raw, quarantined = encode_parsed(session), None
    valid = NewRow(
        raw,
        row.request,
        row.received_at,
        payload.data.session_id,
        digest(raw),
        quarantined,
    )
    return valid, left
