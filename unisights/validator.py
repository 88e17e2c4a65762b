"""Validation: from bytes, or from parsed JSON, to a typed payload."""

from unisights._decoding.fast_path import decode
from unisights._schema.checks import ALL_CHECKS, Checks
from unisights.errors import ValidationError
from unisights.types import UnisightsPayload

__all__ = [
    "Checks",
    "ValidationError",
    "decode_unisights_payload",
    "validate_unisights_payload",
]


def validate_unisights_payload(
    obj: object, *, server_secret: str | bytes | None = None
) -> UnisightsPayload:
    """Validate parsed JSON, plain or encrypted, and return the typed payload.

    Args:
        obj: the parsed JSON, as of `json.loads`; it is not changed.
        server_secret: the secret that encrypted payloads were made with, if any.

    Raises:
        ValidationError: with every problem.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    # Importing them takes a while, and callers that pass bytes may never need them.
    from unisights._decoding.slow_path import SlowPath  # noqa: PLC0415
    from unisights._schema.parsed_json import check_parsed  # noqa: PLC0415

    return SlowPath(server_secret).from_parsed(check_parsed(obj))


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
        ValidationError: it is JSON, but not a valid payload; with every problem.
        DecryptionError: a ValidationError, for an encrypted payload that cannot be decrypted.
    """
    return decode(body, server_secret=server_secret, checks=checks)
