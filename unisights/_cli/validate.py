"""`unisights validate`: validates files of payloads, for people and for scripts."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

from unisights._cli.positions import lines_of
from unisights.errors import InvalidJSONError, Problem, ValidationError
from unisights.validator import decode_unisights_payload

Format = Literal["text", "json"]

MAX_PAYLOAD = 64 * 1024 * 1024
"""The largest single payload that is read, in bytes; files may be of any size."""

PROGRESS_SECONDS = 1.0

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
        names: files of one JSON payload each, or of NDJSON, one payload a line; `-` is the
            standard input.
        output_format: `text`, as `FILE:LINE: POINTER: MESSAGE`, or `json`, one object a line.
        server_secret: the secret that encrypted payloads were made with, if any.
        out: where the lines go; the standard output, if not given.
        progress: where to say now and then how far it is; nowhere, if not given.
    """
    totals = Totals()
    out = out or sys.stdout
    meter = _Meter(progress)
    for name in names:
        try:
            with _opened(name) as stream:
                for line, body in _payloads(stream, is_ndjson=_is_ndjson_name(name)):
                    totals.payloads += 1
                    meter.show(totals)
                    _validate(name, line, body, server_secret, totals, out, output_format)
        except OSError as error:
            totals.unreadable += 1
            print(f"unisights: {name}: {error.strerror or error}", file=sys.stderr)
    return totals


def _validate(  # noqa: PLR0917  # private, and called in one place
    name: str,
    line: int,
    body: bytes,
    server_secret: str | None,
    totals: Totals,
    out: TextIO,
    output_format: Format,
) -> None:
    problems = _problems(body, server_secret)
    totals.invalid += bool(problems)
    totals.problems += len(problems)
    lines = _lines(body, problems)
    for problem in problems:
        place = line + lines.get(problem.pointer, 1) - 1
        if output_format == "json":
            record = {"file": name, "line": place, **problem.to_dict()}
            print(json.dumps(record, ensure_ascii=False), file=out)
        else:
            print(f"{name}:{place}: {problem.pointer or '/'}: {problem.message}", file=out)


def _lines(body: bytes, problems: tuple[Problem, ...]) -> dict[str, int]:
    """Where in a payload of several lines its problems are."""
    if not problems or b"\n" not in body.strip() or problems[0].rule == "json":
        return {}
    return lines_of(body.decode("utf-8-sig"), [problem.pointer for problem in problems])


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


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return Path(name).open("rb")


def _is_ndjson_name(name: str) -> bool:
    return Path(name).suffix.lower() in _NDJSON_SUFFIXES


def _payloads(stream: BinaryIO, *, is_ndjson: bool) -> Iterator[tuple[int, bytes]]:
    """Yield each payload with its line; holds one of them at a time.

    Without a telling name, a file whose first line is a whole JSON object is NDJSON.
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
    yield number, _without_the_rest(first, stream)
    while body := stream.readline(MAX_PAYLOAD + 1):
        number += 1
        if body.strip():
            yield number, _without_the_rest(body, stream)


def _without_the_rest(line: bytes, stream: BinaryIO) -> bytes:
    """Skip what is left of a line that is too long to be read."""
    piece = line
    while len(piece) > MAX_PAYLOAD and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_PAYLOAD + 1)
    return line


class _Meter:
    """Says now and then how far it is."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._next = time.monotonic() + PROGRESS_SECONDS

    def show(self, totals: Totals) -> None:
        if self._stream is None or (now := time.monotonic()) < self._next:
            return
        self._next = now + PROGRESS_SECONDS
        print(f"{totals.payloads:,} payloads, {totals.invalid:,} invalid", file=self._stream)
