"""All judges on one body: what each must say of it, by the schema alone, and what it says instead.

The judges are the implementations that validate the same body: the referee (`jsonschema`), the
validator of parsed JSON, the decoder of bytes, the fast path alone, and ajv in Node.
"""

import json
import math
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from tests.referee import (
    DEFINITIONS,
    MEMBERS,
    REFEREE,
    UNREADABLE,
    Problems,
    form_of,
    infinities_in,
    parse,
    problems_by_referee,
    resolve,
    without_infinity,
)
from tests.support import decode_fast
from unisights import (
    InvalidJSONError,
    UnisightsPayload,
    ValidationError,
    decode_unisights_payload,
    validate_unisights_payload,
)
from unisights.encryption import decrypt
from unisights.errors import DecryptionError

NOTHING: Problems = set()


@dataclass(frozen=True, slots=True)
class Expected:
    """What a body is, by the schema and by what the vectors' format says of reading.

    Attributes:
        parsed: the body, if it is JSON; infinite where no double holds a number.
        form: the definition that it is validated by; empty if it is not JSON.
        wire_problems: what is wrong with it, by that definition alone.
        problems: what is wrong with it, numbers beyond doubles and the cipher's included.
        data: the decoded session, if nothing is wrong.
        is_deep: whether it is nested so deeply that a judge may refuse to read it, each from
            another level on. Nothing else is said of such a body.
    """

    parsed: Any = None
    form: str = ""
    wire_problems: Problems | None = None
    problems: Problems | None = None
    data: Any = None
    is_deep: bool = False

    @property
    def result(self) -> str:
        """What the body is, in words."""
        if self.is_deep:
            return "too deep"
        if self.problems == UNREADABLE:
            return "not JSON"
        return "invalid" if self.problems else "valid"


def expect(body: bytes) -> Expected:
    """Return what a body is, by the referee."""
    if depth_of(body) > MAX_DEPTH:
        return Expected(is_deep=True)
    try:
        obj = parse(body)
    except ValueError:
        return Expected(problems=UNREADABLE)
    form = form_of(obj)
    wire_problems = problems_by_referee(form, without_infinity(obj))
    problems, data = wire_problems, None
    if _reads_infinity(obj, wire_problems):
        problems = UNREADABLE
    elif not problems and form == "UnisightsPayload":
        data = decode_by_schema(DEFINITIONS["UnisightsData"], obj["data"])
    elif not problems:
        problems, data = _expect_encrypted(obj)
    return Expected(obj, form, wire_problems, problems, data)


MAX_DEPTH = 200
"""All judges read what has so many levels, the referee in the midst of a test too."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def depth_of(body: bytes) -> int:
    """How many levels a JSON text has; roughly so for what is none."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for bracket in re.findall(rb"[][{}]", _STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _reads_infinity(obj: Any, problems: Problems, pointer: str = "") -> bool:
    """Whether a number that no double can hold stands where a value is wanted."""
    return not {place for place, _ in problems}.isdisjoint(infinities_in(obj, pointer))


_BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _expect_encrypted(obj: Any) -> tuple[Problems, Any]:
    at, sealed, name = "", obj, "data"
    if obj.get("envelope") is not None:
        at, sealed, name = "/envelope", obj["envelope"], "ciphertext"
    for key in (name, "tag"):
        if not _BASE64.fullmatch(sealed[key]):
            return {(f"{at}/{key}", "base64")}, None
    try:
        plaintext = decrypt(
            b64decode(sealed[name]),
            b64decode(sealed["tag"]),
            site_id=sealed["site_id"],
            bucket=int(sealed["bucket"]),
            ua_hash=sealed.get("ua_hash", ""),
        )
    except DecryptionError:
        return {(f"{at}/tag", "tag")}, None
    try:
        session = parse(plaintext)
    except ValueError:
        return {(f"{at}/{name}", "json")}, None
    problems = problems_by_referee("UnisightsData", without_infinity(session), "/data")
    if _reads_infinity(session, problems, "/data"):
        return {(f"{at}/{name}", "json")}, None
    if problems:
        return problems, None
    if session["asset_id"] != sealed["site_id"]:
        return {(f"{at}/site_id", "site_id")}, None
    return NOTHING, decode_by_schema(DEFINITIONS["UnisightsData"], session)


def decode_by_schema(schema: dict[str, Any], value: Any) -> Any:
    """What valid JSON decodes to, as the schema's defaults and `x-decode` say."""
    schema = resolve(schema)
    if "oneOf" in schema:
        schema = DEFINITIONS[MEMBERS[value["type"]]]
    if isinstance(value, dict):
        named = schema["properties"]
        decoded = {
            key: decode_by_schema(member, value.get(key, member.get("default")))
            for key, member in named.items()
        }
        if "additionalProperties" in schema:
            decoded |= {key: item for key, item in value.items() if key not in named}
        return decoded
    if isinstance(value, list):
        return [decode_by_schema(schema["items"], item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    directives = schema.get("x-decode", {})
    is_whole = "number" not in schema["type"] or directives.get("integer")
    number = math.floor(value) if is_whole else float(value)
    return min(number, type(number)(directives.get("maximum", number)))


# The judges.


def disagreements(body: bytes) -> tuple[list[str], str]:
    """Ask the judges in Python: what is wrong with what they say, and the result in words."""
    expected = expect(body)
    result = expected.result
    found = []
    try:
        if expected.form:
            found += _check_root(expected)
            found += _check_validator(expected)
        opinion = _ask(decode_unisights_payload, body)
        fast = decode_fast(body)
        if expected.is_deep:
            return [], result
        found += _compare("the decoder", opinion, expected.problems, expected.data)
        if fast is not None:
            result = "valid, by the fast path"
            found += _compare("the fast path", (fast, NOTHING), expected.problems, expected.data)
    except Exception as error:  # noqa: BLE001  # no judge may fail in another way
        found.append(f"{type(error).__name__}: {error}")
    return found, result


def disagreements_of_ajv(body: bytes, answer: Any) -> list[str]:
    """What is wrong with what ajv says of a body."""
    expected = expect(body)
    if expected.is_deep:
        return []
    if answer is None or not expected.form:
        return (
            [] if answer is None and not expected.form else ["ajv: another opinion on what is JSON"]
        )
    problems = {tuple(problem.rsplit(" ", 1)) for problem in answer["problems"]}
    found = []
    if problems != expected.wire_problems:
        found.append(
            f"ajv finds {sorted(problems)}, expected {sorted(expected.wire_problems or ())}"
        )
    if answer["valid"] is not (problems == set()):
        found.append("ajv: the root schema and the definition give different results")
    return found


Opinion = tuple[UnisightsPayload | None, Problems]


def _ask(judge: Any, argument: Any) -> Opinion:
    try:
        return judge(argument), NOTHING
    except InvalidJSONError:
        return None, UNREADABLE
    except ValidationError as error:
        return None, {(problem.pointer, problem.rule) for problem in error.problems}


def _check_root(expected: Expected) -> list[str]:
    if REFEREE.is_valid(without_infinity(expected.parsed)) is (expected.wire_problems == NOTHING):
        return []
    return ["the referee: the root schema and the definition give different results"]


def _check_validator(expected: Expected) -> list[str]:
    opinion = _ask(validate_unisights_payload, expected.parsed)
    # Who has parsed the JSON has made the infinite numbers: all of them are named.
    infinite: Problems = {(place, "json") for place in infinities_in(expected.parsed)}
    return _compare(
        "the validator",
        opinion,
        infinite or expected.problems,
        None if infinite else expected.data,
    )


def _compare(judge: str, opinion: Opinion, problems: Problems | None, data: Any) -> list[str]:
    payload, found = opinion
    if found != problems or (payload is None) is (problems == NOTHING):
        return [f"{judge} finds {sorted(found)}, expected {sorted(problems or ())}"]
    # As text: equality does not tell 1 from 1.0, nor 0.0 from -0.0.
    if payload is not None and _text(payload.data.to_dict()) != _text(data):
        return [f"{judge} decodes to {_text(payload.data.to_dict())}, expected {_text(data)}"]
    return []


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
