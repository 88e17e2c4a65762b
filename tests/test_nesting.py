"""Deep nesting: refused before a parser goes down into it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import run_python
from tests.support import make_body
from unisights import InvalidJSONError, decode_unisights_payload
from unisights._decoding.limits import MAX_DEPTH, MAX_FREE, MIN_BYTES, find_excess

STRINGS = st.text(alphabet='"\\[]{}:,a \u00e9', max_size=12)
VALUES = st.recursive(
    st.none() | st.integers() | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=30,
)


def is_too_deep(text: bytes) -> bool:
    """Whether a text is refused for its depth."""
    return find_excess(text) == "nested too deeply"


def is_too_dense(text: bytes) -> bool:
    """Whether a text is refused for the number of its arrays and objects."""
    return find_excess(text) == "made of too many arrays and objects"


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES, STRINGS, st.booleans())
def test_the_limit_is_exact(value: Any, name: str, as_object: bool) -> None:
    """One level at the limit passes, one more does not, whatever else the text holds."""
    start, end = (f"{{{json.dumps(name)}:", "}") if as_object else ("[ ", "]")
    levels = MAX_DEPTH - _depth(value)
    text = json.dumps(value)
    assert not is_too_deep((start * levels + text + end * levels).encode())
    levels += 1
    assert is_too_deep((start * levels + text + end * levels).encode())
    # The parser goes down before it finds the end missing.
    assert is_too_deep((start * (levels + 10) + text).encode())


@pytest.mark.parametrize(
    "beside",
    [
        *('""', '"",""', '"]"', '"}]"', r'"\""', r'"\"]"', r'"\\"', r'"]\\","]"', '"[","{"'),
        *(
            "true",
            "false",
            "null",
            "-1.5E+3",
            "[]",
            "{}",
            "[{}]",
            '[[[[[[[[["]"]]]]]]]]]',
            " \t\r\n0",
        ),
    ],
)
def test_what_stands_beside_does_not_count(beside: str) -> None:
    """Strings, scalars and what is closed again make a text no deeper, nor less deep."""
    for start, end in ((f"[{beside},", "]"), (f'{{"":[{beside}],"":', "}")):
        for levels, expected in ((MAX_DEPTH - 10, False), (MAX_DEPTH + 1, True)):
            assert is_too_deep((start * levels + "1" + end * levels).encode()) is expected
    assert not is_too_deep(f"[{','.join([beside] * 2000)}]".encode())


@pytest.mark.parametrize("text", ['"%s"', '{"%s":1}', '["%s"]'])
def test_brackets_in_strings_are_no_levels(text: str) -> None:
    """A string may hold any number of brackets, also where there is nothing else."""
    for brackets in ("[", "{", "]}", '[\\"{'):
        assert not is_too_deep((text % (brackets * 2 * MAX_DEPTH)).encode())


def test_the_limit_is_exact_in_bushy_texts() -> None:
    """The deepest level counts, however much is nested beside the way to it."""
    bush, depth = "[[],[[]]]", 3
    for levels, expected in ((MAX_DEPTH - depth, False), (MAX_DEPTH - depth + 1, True)):
        assert is_too_deep((f"[{bush}," * levels + "1" + "]" * levels).encode()) is expected


@pytest.mark.parametrize("one", ["[]", "{}", '{"a":[]}', '"]",[]', '"\\\\",{}'])
def test_small_texts_may_be_all_arrays(one: str) -> None:
    """So many arrays and objects are free; one more, and there must be bytes for each."""
    count = one.replace('"]"', "").count("[") + one.count("{")
    text = ",".join([one] * (MAX_FREE // count))
    free = MAX_FREE % count
    assert not is_too_dense(text.encode())
    assert is_too_dense(f"{text},{','.join(['[]'] * (free + 1))}".encode())
    assert not is_too_dense((text + ",[]" * (free + 1) + " " * MIN_BYTES * MAX_FREE).encode())


def test_brackets_in_strings_are_no_arrays() -> None:
    """A string may hold any JSON text, and many strings many of them."""
    texts = [json.dumps("[[1,2],[3,4]]"), json.dumps('{"a":[{"b":"["}]}'), '"[[[["']
    assert find_excess(f"[{','.join(texts * 1000)}]".encode()) is None


@given(st.integers(0, 3 * MAX_FREE), st.integers(0, 40))
def test_the_density_is_exact(count: int, blanks: int) -> None:
    """Beyond the free ones, an array needs twelve bytes of text, whatever these are."""
    text = "[" + ",".join(["[]" + " " * blanks] * count) + "]"
    expected = count + 1 > max(MAX_FREE, len(text) // MIN_BYTES)
    assert is_too_dense(text.encode()) is expected


def test_dense_bodies_that_are_valid_are_taken() -> None:
    """What the schema does not name may hold any number of arrays: nothing is made of them."""
    body = make_body(heatmap=[[]] * 50_000)
    assert decode_unisights_payload(body).raw == body


def test_dense_bodies_that_are_not_valid_are_not_looked_at() -> None:
    """A body of little but arrays, with something wrong in it, costs no more than saying so."""
    body = make_body(asset_id=1, heatmap=[[]] * 50_000)
    with pytest.raises(InvalidJSONError, match="the body is made of too many arrays and objects"):
        decode_unisights_payload(body)


@pytest.mark.parametrize("start", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("end", ["]", "}", ""])
def test_deep_bodies_are_not_json(start: str, end: str) -> None:
    """A body that is nested too deeply is answered as such, closed or not."""
    body = f'{{"data":{start * 50_000}1{end * 50_000}}}'.encode()
    with pytest.raises(InvalidJSONError, match="nested too deeply"):
        decode_unisights_payload(body)


SMALL_STACK = """
import threading, unisights
def decode():
    for start, end in [("[", "]"), ('{"data":', "}"), ('{"data":{"x":', "}}"), ('[{"a":', "}]")]:
        for body in (start * 100_000 + "1" + end * 100_000, start * 100_000):
            for around in ("%s", '{"data":%s}', '{"data":{"events":[{"type":"click","x":%s}]}}'):
                try:
                    unisights.decode_unisights_payload((around % body).encode())
                except unisights.ValidationError:
                    pass
                except unisights.InvalidJSONError:
                    print("refused")
threading.stack_size(512 * 1024)
thread = threading.Thread(target=decode)
thread.start()
thread.join()
"""


def test_deep_bodies_do_not_end_the_process() -> None:
    """In a thread with a small stack, as servers have them, no nesting ends the process."""
    done = run_python(SMALL_STACK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("refused") == 24
