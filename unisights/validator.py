"""Validation: from bytes, or from parsed JSON, to a typed payload.

Two engines stand behind it, made from the same schema. Bytes are first decoded straight into the
dataclasses; that path takes nothing that is invalid, but refuses some of what is valid. What it
refuses goes to the compiled validator, which has the last word and names every problem.
"""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import ValidationError as MsgspecValidationError

from unisights._authority import find_problems
from unisights._envelope import envelope_of, open_envelope, refused
from unisights._findings import ALL_CHECKS, Checks, Path
from unisights._generated import decoder, lenient
from unisights._generated.builder import BUILDERS
from unisights._generated.decoder import REFUSALS
from unisights._json import check_parsed, mend_surrogates, parse_json
from unisights._nesting import most_elements
from unisights._selection import Selection
from unisights.errors import InvalidJSONError, ValidationError
from unisights.types import (
    EncryptedEnvelopePayload,
    EncryptedPayload,
    UnisightsData,
    UnisightsPayload,
)

__all__ = [
    "Checks",
    "ValidationError",
    "decode_unisights_payload",
    "validate_as",
    "validate_unisights_payload",
]

T = TypeVar("T")


def validate_unisights_payload(
    obj: object, *, server_secret: str | bytes | None = None
) -> UnisightsPayload:
    """Validate parsed JSON, plain or encrypted, and return the typed payload.

    Args:
        obj: what `json.loads` returned; it is not changed.
        server_secret: the secret that encrypted payloads were made with, if any.

    Raises:
        ValidationError: with every problem.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    return _from_parsed(check_parsed(obj), server_secret, ALL_CHECKS)


def decode_unisights_payload(
    body: bytes, *, server_secret: str | bytes | None = None, checks: Checks = ALL_CHECKS
) -> UnisightsPayload:
    """Decode and validate a request's body, plain or encrypted: the fast path.

    Args:
        body: JSON in UTF-8.
        server_secret: the secret that encrypted payloads were made with, if any.
        checks: which rules are enforced. With fewer than all, attributes can hold values that
            their types do not name, and None where a required property is missing.

    Returns:
        The payload; its `raw` is the body.

    Raises:
        InvalidJSONError: the body is not JSON.
        ValidationError: it is, but not a valid payload; with every problem.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    payload, mended = _try(body, decoder.decode_UnisightsPayload, lenient.decode_UnisightsPayload)
    if payload is None:
        parsed = parse_json(mended, keeps_out_of_range=checks.values)
        payload = _from_parsed(parsed, server_secret, checks)
    payload.raw = body
    return payload


def decode_selected(
    body: bytes,
    selection: Selection,
    *,
    server_secret: str | bytes | None = None,
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
    payload = None
    selection.most = most_elements(len(body))
    if selection.takes is None:
        strict, forgiving = decoder.decode_UnisightsPayload, lenient.decode_UnisightsPayload
        payload, mended = _try(body, strict, forgiving)
    else:
        mended = mend_surrogates(body)
    if payload is None:
        parsed = parse_json(mended, keeps_out_of_range=checks.values)
        payload = _from_parsed(parsed, server_secret, checks, selection)
    payload.raw = body
    payload.quarantined = selection.quarantined
    return payload


def validate_as(cls: type[T], obj: object) -> T:
    """Validate parsed JSON as one of the payload's types, by the definition of that name.

    Raises:
        ValidationError: with every problem, its pointers relative to `obj`.
    """
    parsed = check_parsed(obj)
    if problems := find_problems(cls.__name__, parsed):
        raise ValidationError(problems)
    built: T = BUILDERS[cls.__name__](parsed)
    return built


def _try(
    body: bytes, strict: Callable[[bytes], T], forgiving: Callable[[bytes], T]
) -> tuple[T | None, bytes]:
    """What the fast path makes of a body, None if it refuses; and the body, mended if need be."""
    try:
        if not body.isascii():
            body.decode()  # What the fast decoder skips, it does not check.
        return strict(body), body
    except UnicodeDecodeError:
        return None, body
    except REFUSALS as error:
        is_json = isinstance(error, MsgspecValidationError)
    mended = mend_surrogates(body)
    if is_json or mended is not body:
        with contextlib.suppress(*REFUSALS):
            return forgiving(mended), mended
    return None, mended


def _from_parsed(
    obj: Any,
    server_secret: str | bytes | None,
    checks: Checks,
    selection: Selection | None = None,
) -> UnisightsPayload:
    """Validate and build, whichever of the three forms the object has."""
    if not (isinstance(obj, dict) and obj.get("encrypted") is True):
        return _build(UnisightsPayload, obj, (), checks, selection)
    # How a payload is encrypted is not for options to relax: it must be decrypted.
    if obj.get("envelope") is not None:
        envelope, places = envelope_of(_build(EncryptedEnvelopePayload, obj, (), ALL_CHECKS))
    else:
        envelope, places = envelope_of(_build(EncryptedPayload, obj, (), ALL_CHECKS))
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
    if selection is None or selection.takes is None:
        data, mended = _try(plaintext, decoder.decode_UnisightsData, lenient.decode_UnisightsData)
        if data is not None:
            return data
    else:
        mended = mend_surrogates(plaintext)
    try:
        parsed = parse_json(mended, keeps_out_of_range=checks.values)
        return _build(UnisightsData, parsed, ("data",), checks, selection)
    except InvalidJSONError as error:
        message = f"once decrypted, {error}".replace("the body", "it")
        raise refused(pointer, "json", message) from None


def _build(
    cls: type[T], obj: Any, path: Path, checks: Checks, selection: Selection | None = None
) -> T:
    if selection is not None:
        obj = selection.apply(cls.__name__, obj, path, checks)
    elif problems := find_problems(cls.__name__, obj, path, checks):
        raise ValidationError(problems)
    built: T = BUILDERS[cls.__name__](obj)
    return built
