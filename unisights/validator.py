"""Validation: from bytes, or from parsed JSON, to a typed payload.

Two engines stand behind it, made from the same schema. Bytes are first decoded straight into the
dataclasses; that path takes nothing that is invalid, but refuses some of what is valid. What it
refuses gets a second look (`_second_look`): by the compiled validator, which has the last word and
names every problem. It is imported when it is first needed.
"""

from typing import TypeVar

from unisights._decoding.generated.decoder import REFUSALS, decode_UnisightsPayload
from unisights._decoding.violations import ALL_CHECKS, Checks
from unisights.errors import ValidationError
from unisights.types import UnisightsPayload

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
    from unisights._decoding.slow_path import judge_parsed  # noqa: PLC0415

    return judge_parsed(obj, server_secret)


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
    try:
        if not body.isascii():
            body.decode()  # What the fast decoder skips, it does not check.
        payload = decode_UnisightsPayload(body)
    except (*REFUSALS, UnicodeDecodeError) as refusal:
        from unisights._decoding.slow_path import look_again  # noqa: PLC0415

        payload = look_again(body, refusal, server_secret, checks)
    payload.raw = body
    return payload


def validate_as(cls: type[T], obj: object) -> T:
    """Validate parsed JSON as one of the payload's types, by the definition of that name.

    Raises:
        ValidationError: with every problem, its pointers relative to `obj`.
    """
    from unisights._decoding.slow_path import judge_parsed_as  # noqa: PLC0415

    return judge_parsed_as(cls, obj)
