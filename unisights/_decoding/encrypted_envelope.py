"""Decrypts encrypted payloads: from both forms on the wire to the plaintext."""

import contextlib
from base64 import b64decode
from dataclasses import dataclass

from unisights.encryption import decrypt
from unisights.errors import DecryptionError, Problem
from unisights.types import EncryptedEnvelope, EncryptedEnvelopePayload, EncryptedPayload


@dataclass(frozen=True, slots=True)
class Places:
    """The places of the values in a form of encrypted payload, as JSON Pointers for problems."""

    ciphertext: str
    tag: str
    site_id: str


AT_ROOT = Places("/data", "/tag", "/site_id")
IN_ENVELOPE = Places("/envelope/ciphertext", "/envelope/tag", "/envelope/site_id")


def envelope_of(
    payload: EncryptedPayload | EncryptedEnvelopePayload,
) -> tuple[EncryptedEnvelope, Places]:
    """Return the envelope of either form of encrypted payload, and the places of its values."""
    if isinstance(payload, EncryptedEnvelopePayload):
        return payload.envelope, IN_ENVELOPE
    envelope = EncryptedEnvelope(
        site_id=payload.site_id,
        ua_hash=payload.ua_hash,
        bucket=payload.bucket,
        tag=payload.tag,
        ciphertext=payload.data,
    )
    return envelope, AT_ROOT


def open_envelope(
    envelope: EncryptedEnvelope, places: Places, server_secret: str | bytes | None
) -> bytes:
    """Verify and decrypt.

    Raises:
        DecryptionError: a value is not base64, or the tag does not match.
    """
    ciphertext = _decode_base64(envelope.ciphertext, places.ciphertext)
    tag = _decode_base64(envelope.tag, places.tag)
    try:
        return decrypt(
            ciphertext,
            tag,
            site_id=envelope.site_id,
            bucket=envelope.bucket,
            ua_hash=envelope.ua_hash,
            server_secret=server_secret,
        )
    except DecryptionError as error:
        (problem,) = error.problems
        raise undecryptable(places.tag, problem.rule, problem.message) from None


def undecryptable(pointer: str, rule: str, message: str) -> DecryptionError:
    """Return the error for an envelope with one problem."""
    return DecryptionError([Problem(pointer, rule, message)])


def _decode_base64(text: str, pointer: str) -> bytes:
    # Before CPython 3.13, `b64decode` accepts one padding character too many.
    if len(text) % 4 == 0 and not text.endswith("==="):
        with contextlib.suppress(ValueError):
            return b64decode(text, validate=True)
    name = pointer.rpartition("/")[2]
    raise undecryptable(pointer, "base64", f"{name} must be standard, padded base64")
