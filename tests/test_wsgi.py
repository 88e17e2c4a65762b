"""Reading a body in WSGI: where it ends."""

from typing import Any

import pytest

from unisights._http.wsgi import read_body, read_info


class _Blocking:
    """The input of a server that does not end it: a read without a length never returns."""

    def read(self, _size: int) -> bytes:
        raise AssertionError("this would wait for ever")


@pytest.mark.parametrize("length", [None, "", "ten", "1" * 25, "0" * 19 + "1"])
def test_a_body_without_a_usable_length_is_not_read(length: str | None) -> None:
    """Where the server does not end the stream, no length means that there is no body."""
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "wsgi.input": _Blocking()}
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    body = read_body(environ, read_info(environ, "/events"))
    pieces = []
    while not body.has_ended:
        pieces.append(body.read())
    assert b"".join(piece or b"" for piece in pieces) == b""
