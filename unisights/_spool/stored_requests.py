"""The form in which the spool stores requests: JSON."""

import json
from types import MappingProxyType
from typing import Any

import msgspec

from unisights.request import RequestInfo

_encode = msgspec.json.Encoder().encode


def write_request(info: RequestInfo) -> str:
    """Return a request as JSON."""
    content = info.to_dict()
    try:
        return _encode(content).decode()
    except UnicodeEncodeError:
        return json.dumps(content)  # Servers make lone surrogates of undecodable bytes.


def read_request(text: str, received_at: int) -> RequestInfo:
    """Return the request that `write_request` has written."""
    content: dict[str, Any] = json.loads(text)
    return RequestInfo(
        method=content["method"],
        path=content["path"],
        headers=MappingProxyType(content["headers"]),
        client=content["client"],
        received_at=received_at,
    )
