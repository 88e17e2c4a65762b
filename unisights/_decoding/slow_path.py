"""What becomes of what the fast path refuses, and of what comes parsed.

Bytes are mended, decoded by the forgiving variant of the fast path, and if that refuses too,
parsed, decrypted if need be, and judged by the compiled validator.
"""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import ValidationError as MsgspecValidationError

from unisights._decoding.envelope import envelope_of, open_envelope, refused
from unisights._decoding.generated import decoder, lenient
from unisights._decoding.generated.builder import BUILDERS
from unisights._decoding.generated.decoder import REFUSALS
from unisights._decoding.limits import most_elements
from unisights._decoding.parsing import check_parsed, mend, parse_json
from unisights._decoding.quarantine import Selection
from unisights._decoding.validation import find_problems
from unisights._decoding.violations import ALL_CHECKS, Checks, Path
from unisights.errors import InvalidJSONError, ValidationError
from unisights.types import (
    EncryptedEnvelopePayload,
    EncryptedPayload,
    UnisightsData,
    UnisightsPayload,
)

T = TypeVar("T")

Secret = str | bytes | None


def look_again(
    body: bytes, refusal: Exception, server_secret: Secret, checks: Checks
) -> UnisightsPayload:
    """Decode a body all the same, after the fast path's refusal.

    For `decode_unisights_payload`, which says what else it takes and raises.
    """
    mended = mend(body)
    payload = _forgive(mended, body, refusal, lenient.decode_UnisightsPayload)
    if payload is None:
        payload = _judge(mended, server_secret, checks)
    return payload


def decode_selected(
    body: bytes,
    selection: Selection,
    *,
    server_secret: Secret = None,
    checks: Checks = ALL_CHECKS,
) -> UnisightsPayload:
    """Decode a body of which not all events may be part of the payload, or may be valid.

    Args:
        body: JSON in UTF-8.
        selection: selects the events, and knows afterwards which were quarantined.
        server_secret: the secret that encrypted payloads were made with, if any.
        checks: which rules are enforced.

    Returns:
        The payload; its `raw` is the whole body.

    Raises:
        InvalidJSONError, ValidationError, DecryptionError: as `decode_unisights_payload` has it.
    """
    selection.most = most_elements(len(body))
    payload, mended = None, None
    if selection.takes is None:
        strict, forgiving = decoder.decode_UnisightsPayload, lenient.decode_UnisightsPayload
        payload, mended = decode_fast(body, strict, forgiving)
    if payload is None:
        payload = _judge(mended or mend(body), server_secret, checks, selection)
    payload.raw = body
    payload.quarantined = selection.quarantined
    return payload


def judge_parsed(obj: object, server_secret: Secret) -> UnisightsPayload:
    """Validate parsed JSON; see `validate_unisights_payload`."""
    return _from_parsed(check_parsed(obj), server_secret, ALL_CHECKS, None)


def judge_parsed_as(cls: type[T], obj: object) -> T:
    """Validate parsed JSON as one of the payload's types; see `validate_as`."""
    return _build(cls, check_parsed(obj), (), ALL_CHECKS, None)


def decode_fast(
    body: bytes, strict: Callable[[bytes], T], forgiving: Callable[[bytes], T]
) -> tuple[T | None, bytes]:
    """What the fast path makes of a body, None if it refuses; and the body, mended if need be."""
    try:
        if not body.isascii():
            body.decode()  # What decoders skip, they do not check.
        return strict(body), body
    except (*REFUSALS, UnicodeDecodeError) as refusal:
        mended = mend(body)
        return _forgive(mended, body, refusal, forgiving), mended


def _forgive(
    mended: bytes, body: bytes, refusal: Exception, forgiving: Callable[[bytes], T]
) -> T | None:
    """What the forgiving variant makes of a body; None if it refuses, or cannot but refuse."""
    is_utf8 = not isinstance(refusal, UnicodeDecodeError)
    if is_utf8 and (isinstance(refusal, MsgspecValidationError) or mended is not body):
        with contextlib.suppress(*REFUSALS):
            return forgiving(mended)
    return None


def _judge(
    body: bytes, server_secret: Secret, checks: Checks, selection: Selection | None = None
) -> UnisightsPayload:
    parsed = _parse(body, checks, selection)
    return _from_parsed(parsed, server_secret, checks, selection)


def _parse(body: bytes, checks: Checks, selection: Selection | None) -> Any:
    # Where every rule holds for every event, nothing is left of a body that the fast path refuses,
    # but for what no sender writes: then it need not be looked at at any cost.
    is_bounded = checks.values and checks.required and selection is None
    return parse_json(body, keeps_out_of_range=checks.values, is_bounded=is_bounded)


def _from_parsed(
    obj: Any, server_secret: Secret, checks: Checks, selection: Selection | None
) -> UnisightsPayload:
    """Validate and build, whichever of the three forms the object has."""
    if not (isinstance(obj, dict) and obj.get("encrypted") is True):
        return _build(UnisightsPayload, obj, (), checks, selection)
    # How a payload is encrypted is not for options to relax: it must be decrypted.
    if obj.get("envelope") is not None:
        sealed = _build(EncryptedEnvelopePayload, obj, (), ALL_CHECKS, None)
        envelope, places = envelope_of(sealed)
    else:
        envelope, places = envelope_of(_build(EncryptedPayload, obj, (), ALL_CHECKS, None))
    plaintext = open_envelope(envelope, places, server_secret)
    data = _decode_data(plaintext, places.ciphertext, checks, selection)
    if data.asset_id != envelope.site_id:
        message = "site_id must equal the encrypted data.asset_id"
        raise refused(places.site_id, "site_id", message)
    return UnisightsPayload(data=data, encrypted=True, sent_bucket=envelope.bucket)


def _decode_data(
    plaintext: bytes, pointer: str, checks: Checks, selection: Selection | None
) -> UnisightsData:
    """Decode the data object; its problems are named as they would be had it come plain."""
    mended = None
    if selection is None or selection.takes is None:
        strict, forgiving = decoder.decode_UnisightsData, lenient.decode_UnisightsData
        data, mended = decode_fast(plaintext, strict, forgiving)
        if data is not None:
            return data
    try:
        parsed = _parse(mended or mend(plaintext), checks, selection)
        return _build(UnisightsData, parsed, ("data",), checks, selection)
    except InvalidJSONError as error:
        message = f"once decrypted, {error}".replace("the body", "it")
        raise refused(pointer, "json", message) from None


def _build(cls: type[T], obj: Any, path: Path, checks: Checks, selection: Selection | None) -> T:
    if selection is not None:
        obj = selection.apply(cls.__name__, obj, path, checks)
    elif problems := find_problems(cls.__name__, obj, path, checks):
        raise ValidationError(problems)
    built: T = BUILDERS[cls.__name__](obj)
    return built
