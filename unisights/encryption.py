"""The client's encryption, both ways.

This is obfuscation, not secrecy: everything the key is derived from travels beside the
ciphertext, so anyone can read it and anyone can make a valid tag. Two beacons of one site within
30 seconds even share their keystream. It keeps payloads from casual eyes and from being mangled
on the way; use HTTPS for secrecy. Only with a `server_secret`, which browsers cannot have, does
a tag prove who sent it.

    client_key = SHA256(site_id ":" bucket as 8 bytes big-endian ":" ua_hash)
    key        = client_key, or HMAC-SHA256(server_secret, client_key)
    keystream  = SHA256(key, counter as 4 bytes big-endian), counter = 0, 1, 2 …
    ciphertext = plaintext XOR keystream
    tag        = HMAC-SHA256(key, ciphertext)
"""

import hashlib
import hmac

from unisights.errors import DecryptionError, Problem

_BLOCK = 32
"""Bytes of keystream from one hash."""

_CHUNK_BLOCKS = 2048
"""Blocks made at a time: 64 KiB, so that big integers stay small beside the ciphertext."""


def derive_key(
    site_id: str, bucket: int, ua_hash: str = "", server_secret: str | bytes | None = None
) -> bytes:
    """Derive the 32-byte key of a payload.

    Args:
        site_id: the asset's id, as in the payload.
        bucket: the send time divided by 30,000 ms, rounded down; 0 to 2**64 - 1.
        ua_hash: the user agent's hash, as in the payload.
        server_secret: the secret of server-side senders, if one is used.
    """
    material = b":".join((site_id.encode(), bucket.to_bytes(8, "big"), ua_hash.encode()))
    client_key = hashlib.sha256(material).digest()
    if server_secret is None:
        return client_key
    return hmac.digest(_to_bytes(server_secret), client_key, "sha256")


def encrypt(
    plaintext: bytes,
    *,
    site_id: str,
    bucket: int,
    ua_hash: str = "",
    server_secret: str | bytes | None = None,
) -> tuple[bytes, bytes]:
    """Encrypt as the client does.

    Returns:
        The ciphertext, as long as the plaintext, and its tag of 32 bytes.
    """
    key = derive_key(site_id, bucket, ua_hash, server_secret)
    ciphertext = _apply_keystream(key, plaintext)
    return ciphertext, hmac.digest(key, ciphertext, "sha256")


def decrypt(
    ciphertext: bytes,
    tag: bytes,
    *,
    site_id: str,
    bucket: int,
    ua_hash: str = "",
    server_secret: str | bytes | None = None,
) -> bytes:
    """Verify the tag, in constant time, and decrypt, in time linear in the length.

    Raises:
        DecryptionError: the tag is not that of this ciphertext under these values.
    """
    key = derive_key(site_id, bucket, ua_hash, server_secret)
    if not hmac.compare_digest(hmac.digest(key, ciphertext, "sha256"), tag):
        message = "the tag does not match the ciphertext, site_id, bucket and ua_hash"
        raise DecryptionError([Problem("/tag", "tag", message)])
    return _apply_keystream(key, ciphertext)


def _apply_keystream(key: bytes, data: bytes) -> bytes:
    keyed = hashlib.sha256(key)
    out = []
    for start in range(0, len(data), _BLOCK * _CHUNK_BLOCKS):
        chunk = data[start : start + _BLOCK * _CHUNK_BLOCKS]
        first = start // _BLOCK
        blocks = []
        for counter in range(first, first + -(-len(chunk) // _BLOCK)):
            block = keyed.copy()
            block.update(counter.to_bytes(4, "big"))
            blocks.append(block.digest())
        keystream = b"".join(blocks)[: len(chunk)]
        mixed = int.from_bytes(chunk, "little") ^ int.from_bytes(keystream, "little")
        out.append(mixed.to_bytes(len(chunk), "little"))
    return b"".join(out)


def _to_bytes(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret
