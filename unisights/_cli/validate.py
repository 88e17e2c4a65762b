"""`unisights validate`: validates files of payloads, for people and for scripts."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

from unisights.errors import InvalidJSONError, Problem, ValidationError
from unisights.validator import decode_unisights_payload

Format = Literal["text", "json"]

MAX_PAYLOAD = 64 * 1024 * 1024
"""The largest single payload that is read, in bytes; files may be of any size."""

PROGRESS_SECONDS = 1.0
"""How much time passes between two messages of progress."""

_NDJSON_SUFFIXES = {".ndjson", ".jsonl"}


@dataclass
class Totals:
    """What was read so far."""

    payloads: int = 0
    invalid: int = 0
    problems: int = 0
    unreadable: int = 0

    @property
    def exit_status(self) -> int:
        """0 if everything is valid, 1 if something is not, 2 if something could not be read."""
        return 2 if self.unreadable else int(self.invalid > 0)


def validate_files(
    names: list[str],
    *,
    output_format: Format = "text",
    server_secret: str | None = None,
    out: TextIO | None = None,
    progress: TextIO | None = None,
) -> Totals:
    """Validate payloads in files, and write a line for each problem.

    Args:
        names: files of one JSON payload each, or of NDJSON, one payload on each line; `-` is the
            standard input.
        output_format: `text`, as `FILE:LINE: POINTER: MESSAGE`, or `json`, one object on each
            line. LINE is the line on which the payload begins, POINTER the place in the payload.
        server_secret: the secret that encrypted payloads were made with, if any.
        out: where the lines are written; None: the standard output.
        progress: where the progress is written, once a second; None: nowhere.
    """
    totals = Totals()
    out = out or sys.stdout
    meter = _Meter(progress)
    for name in names:
        try:
            for line, body in _read(name):
                totals.payloads += 1
                meter.show(totals)
                problems = _problems(body, server_secret)
                totals.invalid += bool(problems)
                totals.problems += len(problems)
                for problem in problems:
                    print(_shown(name, line, problem, output_format), file=out)
        except OSError as error:
            totals.unreadable += 1
            print(f"unisights: {name}: {error.strerror or error}", file=sys.stderr)
    return totals


def _problems(body: bytes, server_secret: str | None) -> tuple[Problem, ...]:
    if len(body) > MAX_PAYLOAD:
        return (Problem("", "size", f"larger than {MAX_PAYLOAD} bytes; one payload a line?"),)
    try:
        decode_unisights_payload(body, server_secret=server_secret)
    except InvalidJSONError as error:
        return (Problem("", "json", str(error)),)
    except ValidationError as error:
        return error.problems
    return ()


def _shown(name: str, line: int, problem: Problem, output_format: Format) -> str:
    if output_format == "json":
        record = {"file": name, "line": line, **problem.to_dict()}
        return json.dumps(record, ensure_ascii=False)
    return f"{name}:{line}: {problem.pointer or '/'}: {problem.message}"


def _read(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield each payload of a file, with the line on which it begins."""
    with _opened(name) as stream:
        is_ndjson = Path(name).suffix.lower() in _NDJSON_SUFFIXES
        yield from _payloads(stream, is_ndjson=is_ndjson)


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return Path(name).open("rb")


def _payloads(stream: BinaryIO, *, is_ndjson: bool) -> Iterator[tuple[int, bytes]]:
    """Yield each payload with its line; only one of them is in memory at a time.

    If the file's name does not tell, it is NDJSON if its first line is a whole JSON object.
    """
    number = 0
    while first := stream.readline(MAX_PAYLOAD + 1):
        number += 1
        if first.strip():
            break
    else:
        yield 1, b""
        return
    stripped = first.strip()
    if not is_ndjson and not (stripped.startswith(b"{") and stripped.endswith(b"}")):
        rest = stream.read(MAX_PAYLOAD + 1)
        yield number, first + rest
        return
    yield number, _skip_rest(first, stream)
    while body := stream.readline(MAX_PAYLOAD + 1):
        number += 1
        if body.strip():
            yield number, _skip_rest(body, stream)


def _skip_rest(line: bytes, stream: BinaryIO) -> bytes:
    """Return a line; of one that is too long, skip what was not read of it."""
    piece = line
    while len(piece) > MAX_PAYLOAD and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_PAYLOAD + 1)
    return line


class _Meter:
    """Writes the progress, once a second."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._next = time.monotonic() + PROGRESS_SECONDS

    def show(self, totals: Totals) -> None:
        if self._stream is None or (now := time.monotonic()) < self._next:
            return
        self._next = now + PROGRESS_SECONDS
        print(f"{totals.payloads:,} payloads, {totals.invalid:,} invalid", file=self._stream)
