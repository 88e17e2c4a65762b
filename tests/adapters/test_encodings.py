"""Compressed bodies, on every adapter."""

import gzip
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from tests.adapters.drivers import Call
from tests.support import make_body


def _raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


COMPRESSIONS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


def _post(client: Any, encoding: str, body: bytes) -> Any:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    return client.call(Call(headers=headers, chunks=(body,)))


@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_compressed_bodies_are_received(connect: Any, recorder: Any, encoding: str) -> None:
    """Gzip and deflate are inflated, and the payload's raw body is the inflated one."""
    answer = _post(connect(handler=recorder), encoding, COMPRESSIONS[encoding](make_body()))
    assert answer.status == 200
    assert recorder.payloads[0].raw == make_body()


def test_deflate_without_its_header_is_received(connect: Any) -> None:
    """Some senders leave out the zlib header of deflate."""
    assert _post(connect(), "deflate", _raw_deflate(make_body())).status == 200


def test_gzip_of_several_members_is_received(connect: Any, recorder: Any) -> None:
    """A gzip body may be several members, one after the other."""
    body = make_body()
    members = gzip.compress(body[:50]) + gzip.compress(body[50:])
    assert _post(connect(handler=recorder), "gzip", members).status == 200
    assert recorder.payloads[0].raw == body


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, deflate", "gzip, gzip", "nonsense"])
def test_other_encodings_are_415(connect: Any, encoding: str) -> None:
    """415 names the encodings that are taken."""
    answer = _post(connect(), encoding, make_body())
    assert answer.status == 415
    assert answer.header("accept-encoding") == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_limit_is_on_the_inflated_size(connect: Any, encoding: str) -> None:
    """A body that is small as sent and over the limit inflated is 413; at the limit it is taken."""
    compress = COMPRESSIONS[encoding]
    body = make_body()
    client = connect(max_payload_size=len(body) + 100)
    assert _post(client, encoding, compress(body + b" " * 100)).status == 200
    assert _post(client, encoding, compress(body + b" " * 101)).status == 413


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A few hundred kilobytes that would inflate to 256 MiB."""
    return gzip.compress(b" " * (256 * 1024 * 1024), 9)


def test_a_bomb_is_not_inflated(connect: Any, bomb: bytes) -> None:
    """A body that would inflate to 256 MiB is 413 without that memory."""
    client = connect()
    _post(client, "gzip", gzip.compress(make_body()))
    tracemalloc.start()
    try:
        answer = _post(client, "gzip", bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body[:-9],
        lambda body: body[: len(body) // 2],
        lambda body: b"",
        lambda body: make_body(),
        lambda body: body + b"rest",
    ],
    ids=["no-checksum", "half", "empty", "not-compressed", "trailing"],
)
def test_broken_compression_is_400(connect: Any, encoding: str, spoil: Any) -> None:
    """400 for what is not in the encoding that it claims; the handler sees nothing of it."""
    answer = _post(connect(), encoding, spoil(COMPRESSIONS[encoding](make_body())))
    assert answer.status == 400
    assert encoding in answer.json()["error"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_many_members_are_400(connect: Any, encoding: str) -> None:
    """A body of very many tiny members is refused before each has cost a pass over the rest."""
    members = COMPRESSIONS[encoding](b"") * 30_000 if encoding == "gzip" else b"\x03\x00" * 300_000
    began = time.process_time()
    assert _post(connect(), encoding, members).status == 400
    assert time.process_time() - began < 2
