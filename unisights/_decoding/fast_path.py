"""Decodes a body: the fast path, and where it hands over to the slow one.

The fast path decodes bytes straight into the types. It takes nothing that is invalid, but refuses
some of what is valid. Whatever it refuses goes to `slow_path`, which has the last word.
"""

from typing import TYPE_CHECKING

from unisights._decoding.generated.decoder import REFUSALS, decode_UnisightsPayload
from unisights._schema.checks import ALL_CHECKS, Checks
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # imported for those who quarantine
    from unisights._decoding.quarantine import Selection


def decode(
    body: bytes,
    *,
    server_secret: str | bytes | None = None,
    checks: Checks = ALL_CHECKS,
    selection: "Selection | None" = None,
) -> UnisightsPayload:
    """Decode, decrypt and validate a request's body.

    Args:
        body: JSON in UTF-8.
        server_secret: the secret that encrypted payloads were made with, if any.
        checks: which rules are enforced.
        selection: selects the events that the payload is to have, and knows afterwards which were
            quarantined; without one, they are all wanted and must all be valid.

    Returns:
        The payload; its `raw` is the whole body.

    Raises:
        InvalidJSONError: the body is not JSON.
        ValidationError: it is, but not a valid payload.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    refusal = None
    # No decoder can leave an event out.
    if selection is None or selection.takes is None:
        try:
            payload = decode_UnisightsPayload(body)
        except REFUSALS as error:
            refusal = type(error)  # the error itself would keep this frame alive
        else:
            payload.raw = body
            return payload
    # Importing it takes a while, and most processes never need it.
    from unisights._decoding.slow_path import SlowPath  # noqa: PLC0415

    payload = SlowPath(server_secret, checks, selection).decode_payload(body, refusal)
    payload.raw = body
    if selection is not None:
        payload.quarantined = selection.quarantined
    return payload
