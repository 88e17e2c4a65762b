"""Times one revision's package on demand: started by `compare`, told by its standard input.

Each line of input is a case and a number of calls, each line of output the seconds that one takes.
The first line of output is the cases, and where the package came from.
"""

import json
import sys
from collections.abc import Callable
from functools import partial

import unisights
from benchmarks import corpus
from benchmarks.decoding import accept, refuse, unlogged
from benchmarks.timing import batch_size, time_batch
from unisights import decode_unisights_payload
from unisights.encryption import decrypt, encrypt

SIZE = 64 * 1024


def cases() -> dict[str, Callable[[], object]]:
    """What is timed: the same for both revisions."""
    found: dict[str, Callable[[], object]] = {}
    for events in corpus.SIZES:
        body = corpus.mixed_body(events)
        found[f"decode {corpus.in_words(events)}"] = partial(decode_unisights_payload, body)
    hundred = corpus.mixed_body(100)
    for name, body in {
        "1 event of 2 kB": corpus.long_url_body(),
        "100 events, encrypted": corpus.encrypted_body(hundred),
    }.items():
        found[f"decode {name}"] = partial(decode_unisights_payload, body)
    found["to_dict, 100 events"] = decode_unisights_payload(hundred).data.to_dict
    ciphertext, tag = encrypt(bytes(SIZE), site_id="a", bucket=1)
    found["decrypt 64 KiB"] = partial(decrypt, ciphertext, tag, site_id="a", bucket=1)
    for name, make in corpus.hard_to_accept().items():
        found[f"64 KiB, {name}"] = partial(accept, make(SIZE))
    for name, make in corpus.attacks().items():
        found[f"64 KiB, {name}"] = partial(refuse, make(SIZE))
    return found


def main() -> None:
    """Answer until the input ends."""
    functions = cases()
    print(json.dumps({"cases": list(functions), "package": unisights.__file__}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        function = functions[told["case"]]
        if "seconds" in told:
            print(batch_size(function, told["seconds"]), flush=True)
        else:
            print(time_batch(function, told["count"]), flush=True)


if __name__ == "__main__":
    with unlogged():
        main()
