"""Coverage-guided: atheris keeps those changes of a request that reach new code of the package.

Its engine, libFuzzer, ends the process, so this is a program of its own. It also watches over each
request's time and over the memory.
"""

import argparse
import base64
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

SECONDS_FOR_ONE = 10
"""A request that takes longer hangs."""

MEMORY = 1024
"""What the process may grow to, in MiB; it begins with about 60."""

_LENGTH = 3 * 4096

_WORDS = [
    *("origin: ", "content-type: ", "content-encoding: ", "content-length: ", "expect: ", "\n\n"),
    *("https://example.com", "null", "application/json", "gzip", "x-gzip", "deflate", "identity"),
    *("POST", "OPTIONS", "GET", "charset=utf-8", "1e400", "\\ud800", "NaN", '"encrypted":true'),
    *('"envelope":', '"events":[', '"type":"', "click", "page_view", "web_vital", "custom"),
    *('"data":{', '"timestamp":', '"session_id":', '"tag":"', '"bucket":', '"site_id":"'),
]


def main() -> None:
    """Fuzz for a while, or send one request that was found before."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    parser.add_argument("--seed", type=int, default=1, help="not 0")
    parser.add_argument("--folder", type=Path, help="an empty one, for what is found")
    parser.add_argument("--structured", action="store_true", help="change JSON, not bytes")
    parser.add_argument("--replay", help="a request as it was printed, in base64")
    arguments = parser.parse_args()
    if arguments.replay:
        send(base64.b64decode(arguments.replay))
        return
    import atheris

    with atheris.instrument_imports(include=["unisights"]):
        import tests.fuzz.edges  # noqa: F401  # the package must be imported here first
    logger = logging.getLogger("unisights")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(_Formatting())
    corpus = arguments.folder / "corpus"
    corpus.mkdir()
    for index, request in enumerate(seeds()):
        (corpus / f"{index:04}").write_bytes(request)
    words = arguments.folder / "words"
    words.write_text("".join(f"{_quoted(word)}\n" for word in _WORDS), encoding="utf-8")
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        f"-timeout={SECONDS_FOR_ONE}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={_LENGTH}",
        f"-dict={words}",
        f"-artifact_prefix={arguments.folder}/found-",
        "-print_final_stats=1",
    ]
    how = {"custom_mutator": _changed} if arguments.structured else {}
    atheris.Setup([sys.argv[0], *options, str(corpus)], send, **how)
    atheris.Fuzz()


def _quoted(word: str) -> str:
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\x0A")
    return f'"{text}"'


def seeds() -> Iterator[bytes]:
    """Requests to begin with: recorded ones, the vectors, and one for every header that counts."""
    from tests.fuzz.edges import LIMIT, LISTED, OPTIONS, written
    from tests.support import CAPTURES, capture, make_body
    from tests.vectors.cases import VECTORS

    bodies = [capture(name) for name in CAPTURES]
    bodies += [vector.body for vector in VECTORS]
    for index, body in enumerate(bodies):
        if len(body) < LIMIT:
            yield written(body, option=index % len(OPTIONS), headers={"origin": LISTED[0]})
    for name, value in [
        *(("content-encoding", encoding) for encoding in ("gzip", "deflate", "br", "identity")),
        *(("origin", origin) for origin in ("null", "https://other.example", "a b", "é")),
        *(("content-type", kind) for kind in ("text/plain", "", "Application/JSON; charset=x")),
        *(("content-length", length) for length in ("1", "99999", "-1", "9" * 40)),
    ]:
        yield written(make_body(), headers={name: value})
    for method in ("OPTIONS", "GET", "PUT", ""):
        yield written(b"", option=1, method=method, headers={"origin": "null"})
    yield written(b" " * (LIMIT + 1))
    yield written(b" " * (2 * LIMIT), headers={"content-encoding": "gzip"})


class _Formatting(logging.Handler):
    """Makes what would be logged, and drops it."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def send(written: bytes) -> None:
    """Send the core a request, and assert that the answer is sound."""
    from tests.fuzz.edges import answer, check, read

    sent = read(written)
    reply = answer(sent)
    check(sent, reply.status, list(reply.headers), reply.body)


def _changed(old: bytes, size: int, seed: int) -> bytes:
    """A changed request: most often its body alone, since few headers let a body be read."""
    from tests.fuzz.mutations import damage, mutate, write

    random = Random(seed)
    head, end, body = old.partition(b"\n\n")
    if random.random() < 0.1:
        place = random.randint(0, len(head))
        head = head[:place] + random.choice(_WORDS).encode() + head[place:]
    try:
        changed = write(random, mutate(random, json.loads(body)))
    except (ValueError, RecursionError):
        changed = damage(random, body)
    return (head + end + random.choice([changed, changed, damage(random, body)]))[:size]


if __name__ == "__main__":
    main()
