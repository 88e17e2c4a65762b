"""The slow path: decodes bodies that the fast path refuses, and objects that come parsed.

Bytes are normalized and decoded by the lenient decoder. If that refuses them too, they are parsed,
decrypted if need be, and validated, and the types are built from the parsed JSON. The plaintext of
an encrypted payload begins at the fast path again.
"""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import ValidationError as MsgspecValidationError

from unisights._decoding.encrypted_envelope import envelope_of, open_envelope, undecryptable
from unisights._decoding.generated import lenient
from unisights._decoding.generated.decoder import REFUSALS, decode_UnisightsData
from unisights._decoding.limits import most_elements
from unisights._decoding.normalization import normalize
from unisights._decoding.out_of_range_numbers import error_for
from unisights._decoding.parsing import parse_json
from unisights._decoding.quarantine import Selected, Selection
from unisights._schema.checks import ALL_CHECKS, Checks
from unisights._schema.validation import find_problems
from unisights._schema.violations import Path
from unisights.errors import InvalidJSONError
from unisights.types import (
    EncryptedEnvelopePayload,
    EncryptedPayload,
    UnisightsData,
    UnisightsPayload,
)

T = TypeVar("T", UnisightsPayload, UnisightsData, EncryptedPayload, EncryptedEnvelopePayload)


class SlowPath:
    """Decodes one body; the arguments and errors are those of `fast_path.decode_selected`.

    Attributes:
        selected: the body after the selection of its events; None if a decoder accepted it as it
            is, or without a selection.
    """

    def __init__(
        self,
        server_secret: str | bytes | None = None,
        checks: Checks = ALL_CHECKS,
        selection: Selection | None = None,
    ) -> None:
        self._server_secret = server_secret
        self._checks = checks
        self._selection = selection
        self._max_quarantined = 0
        self.selected: Selected | None = None

    def decode_payload(self, body: bytes, refusal: type[Exception] | None) -> UnisightsPayload:
        """Decode a request's body after the fast path.

        Args:
            body: the body.
            refusal: the class of the error that the fast path's decoder raised; None if it was not
                tried.
        """
        self._max_quarantined = most_elements(len(body))
        return self._decode(body, refusal, lenient.decode_UnisightsPayload, self.from_parsed)

    def from_parsed(self, obj: Any) -> UnisightsPayload:
        """Validate parsed JSON in whichever of the three forms it has, and build the payload."""
        if not (isinstance(obj, dict) and obj.get("encrypted") is True):
            return self._validate(UnisightsPayload, obj)
        sealed: EncryptedPayload | EncryptedEnvelopePayload
        if obj.get("envelope") is not None:
            sealed = _build_sealed(EncryptedEnvelopePayload, obj)
        else:
            sealed = _build_sealed(EncryptedPayload, obj)
        envelope, places = envelope_of(sealed)
        plaintext = open_envelope(envelope, places, self._server_secret)
        data = self._decode_data(plaintext, places.ciphertext)
        if data.asset_id != envelope.site_id:
            message = "site_id must equal the encrypted data.asset_id"
            raise undecryptable(places.site_id, "site_id", message)
        return UnisightsPayload(data=data, encrypted=True, sent_bucket=envelope.bucket)

    def _decode_data(self, plaintext: bytes, pointer: str) -> UnisightsData:
        """Decode the data object; its problems have the same places as in a plain payload."""
        refusal = None
        if self._selection is None or self._selection.is_wanted is None:
            try:
                return decode_UnisightsData(plaintext)
            except REFUSALS as error:
                refusal = type(error)
        try:
            return self._decode(
                plaintext, refusal, lenient.decode_UnisightsData, self._data_from_parsed
            )
        except InvalidJSONError as error:
            message = f"once decrypted, {error}".replace("the body", "it")
            raise undecryptable(pointer, "json", message) from None

    def _data_from_parsed(self, obj: Any) -> UnisightsData:
        return self._validate(UnisightsData, obj, ("data",))

    def _decode(
        self,
        text: bytes,
        refusal: type[Exception] | None,
        decoder: Callable[[bytes], T],
        from_parsed: Callable[[Any], T],
    ) -> T:
        """Decode JSON after the fast path's decoder; `refusal` as in `decode_payload`."""
        normalized = normalize(text)
        # If the text was malformed, the lenient decoder refuses it too, unless it was normalized.
        may_be_json = refusal is MsgspecValidationError or normalized != text
        if refusal is not None and may_be_json:
            with contextlib.suppress(*REFUSALS):
                return decoder(normalized)
        checks = self._checks
        # Both decoders have refused this text. If all rules are enforced and no event is
        # quarantined, it is invalid, or valid in a form that no known sender writes. So it may be
        # refused if it would be expensive to parse.
        is_bounded = checks.values and checks.required and self._selection is None
        return from_parsed(
            parse_json(normalized, keeps_out_of_range=checks.values, is_bounded=is_bounded)
        )

    def _validate(self, cls: type[T], obj: Any, path: Path = ()) -> T:
        if self._selection is not None:
            self.selected = self._selection.apply(
                cls.__name__, obj, path, self._checks, self._max_quarantined
            )
            obj = self.selected.obj
        elif problems := find_problems(cls.__name__, obj, path, self._checks):
            raise error_for(problems)
        return _build(cls, obj)


def _build_sealed(cls: type[T], obj: Any) -> T:
    # How a payload is encrypted is not for options to relax: it must be decrypted.
    if problems := find_problems(cls.__name__, obj):
        raise error_for(problems)
    return _build(cls, obj)


def _build(cls: type[T], obj: Any) -> T:
    return cls._build(obj)  # `from_dict` would validate again
