"""The fast path: decodes the bytes of a body straight into the types.

It accepts no invalid body, but does not accept every valid one. A body that it does not accept goes
to `slow_path`, which decides.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from unisights._decoding.generated.decoder import REFUSALS, decode_UnisightsPayload
from unisights._schema.checks import ALL_CHECKS, Checks
from unisights.errors import Problem
from unisights.types import UnisightsPayload

if TYPE_CHECKING:  # it loads the compiled validators
    from unisights._decoding.quarantine import Selection


class Decoded(msgspec.Struct, frozen=True):
    """A body of which events were selected.

    Attributes:
        payload: the payload with the selected events; its `quarantined` names the invalid ones.
        problems: the problems of the quarantined events, at most `Checks.max_problems`.
        session: the session with the selected events only, as parsed JSON; None if a decoder
            accepted the body as it is.
    """

    payload: UnisightsPayload
    problems: tuple[Problem, ...] = ()
    session: Any = None


def decode(
    body: bytes, *, server_secret: str | bytes | None = None, checks: Checks = ALL_CHECKS
) -> UnisightsPayload:
    """Decode, decrypt and validate a request's body.

    Args:
        body: JSON in UTF-8.
        server_secret: the secret that encrypted payloads were made with, if any.
        checks: which rules are enforced.

    Returns:
        The payload; its `raw` is the whole body.

    Raises:
        InvalidJSONError: the body is not JSON.
        ValidationError: it is JSON, but not a valid payload.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    try:
        payload = decode_UnisightsPayload(body)
    except REFUSALS as error:
        refusal = type(error)  # the error itself would keep this frame alive
    else:
        payload.raw = body
        return payload
    # Importing it takes a while, and most processes never need it.
    from unisights._decoding.slow_path import SlowPath  # noqa: PLC0415

    payload = SlowPath(server_secret, checks).decode_payload(body, refusal)
    payload.raw = body
    return payload


def decode_selected(
    body: bytes,
    selection: "Selection",
    *,
    server_secret: str | bytes | None = None,
    checks: Checks = ALL_CHECKS,
) -> Decoded:
    """Decode, decrypt and validate a request's body, and select its events.

    The arguments and errors are those of `decode`; `selection` says which events the payload has.
    """
    refusal = None
    # No decoder can leave an event out.
    if selection.is_wanted is None:
        try:
            payload = decode_UnisightsPayload(body)
        except REFUSALS as error:
            refusal = type(error)
        else:
            payload.raw = body
            return Decoded(payload)
    from unisights._decoding.slow_path import SlowPath  # noqa: PLC0415

    slow_path = SlowPath(server_secret, checks, selection)
    payload = slow_path.decode_payload(body, refusal)
    payload.raw = body
    selected = slow_path.selected
    if selected is None:
        return Decoded(payload)
    payload.quarantined = selected.quarantined
    # Decrypted, the object is the session; sent plain, it holds one.
    session = selected.obj if payload.encrypted is True else selected.obj.get("data")
    return Decoded(payload, selected.problems, session)
