"""Times one revision's package, once: `compare` runs it in the directory that holds the package.

It prints one line of JSON: where the package came from, and the seconds that each case takes.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from functools import partial

import unisights
from benchmarks import bodies, decrypting
from benchmarks.decoding import decode_all
from benchmarks.refusing import Endpoint, unlogged
from benchmarks.timing import Effort, Loop, repeat, time_loops
from unisights import decode_unisights_payload

KIB = 1024


def main(seconds: float) -> None:
    """Time everything; each case takes about so long."""
    with contextlib.closing(Endpoint()) as endpoint, unlogged():
        samples = time_loops(loops(endpoint), Effort(1, seconds))
    times = {name: time for name, (time,) in samples.items()}
    print(json.dumps({"package": unisights.__file__, "times": times}))


def loops(endpoint: Endpoint) -> dict[str, Loop]:
    """What is timed: the same for both revisions."""
    hundred = bodies.with_events(100)
    decoded = {
        **bodies.under_load(),
        **{bodies.in_words(count): (bodies.with_events(count),) for count in bodies.SIZES},
        "1 event of 2 kB": (bodies.long_url(),),
        "100 events, encrypted": (bodies.encrypted(hundred),),
    }
    functions: dict[str, Callable[[], object]] = {
        **{
            f"decode {name}": partial(decode_all, decode_unisights_payload, mix)
            for name, mix in decoded.items()
        },
        "to_dict, 100 events": decode_unisights_payload(hundred).data.to_dict,
        "decrypt 64 KiB": decrypting.of_size(64 * KIB),
    }
    return {
        **{name: repeat(function) for name, function in functions.items()},
        **{f"64 KiB, {name}": loop for name, loop in endpoint.loops(64 * KIB).items()},
    }


if __name__ == "__main__":
    main(float(sys.argv[1]))
