"""The cipher alone, by the length of the ciphertext."""

from functools import partial

from benchmarks.timing import Case, Effort, time_functions
from unisights.encryption import decrypt, encrypt

KIB = 1024
SIZES = (64 * KIB, 1024 * KIB)


def measure_decrypting(effort: Effort) -> list[Case]:
    """Decryption of zeros."""
    return [
        Case(
            f"{size // KIB:,} KiB",
            "s",
            "decrypt",
            time_functions({"decrypt": of_size(size)}, effort),
        )
        for size in SIZES
    ]


def of_size(size: int) -> "partial[bytes]":
    """A function that decrypts so many bytes."""
    ciphertext, tag = encrypt(bytes(size), site_id="site-1", bucket=59845534)
    return partial(decrypt, ciphertext, tag, site_id="site-1", bucket=59845534)
