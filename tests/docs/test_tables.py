"""Tables that name options, codes, counters and the like have what the code has, and no more."""

import dataclasses
import pkgutil
import re
import threading
import typing
from typing import Any

import pytest

from tests.adapters.apps import ADAPTERS
from tests.adapters.drivers import Call, call_asgi
from tests.docs.checks import ORIGIN
from tests.docs.commands import EXTRAS, PYPROJECT
from tests.docs.tables import first_spans, rows, spans
from tests.support import ROOT, make_body
from unisights import (
    Background,
    Durable,
    Rejection,
    Retry,
    UnisightsOptions,
    UnisightsPayload,
    config,
    delivery,
    rejection,
    types,
)
from unisights._cli import main as cli
from unisights.asgi import unisights_asgi
from unisights.collector import Collector
from unisights.readiness import NotReadyReason
from unisights.stats import RefusalReason

NAMES: dict[str, typing.Iterable[str]] = {
    "`durability`": typing.get_args(delivery.Durability),
    "`invalid_events`": typing.get_args(config.InvalidEvents),
    "Rejection": [field.name for field in dataclasses.fields(Rejection)],
    "Counter": Collector(UnisightsOptions()).stats().to_dict(),
    "Reason": typing.get_args(RefusalReason),
    "Not ready": typing.get_args(NotReadyReason),
    "Extra": EXTRAS,
    "Environment": PYPROJECT["tool"]["tox"]["env_list"],
}
"""By the title of a table's first column: what that column names, in this order."""


@pytest.mark.parametrize("title", NAMES)
def test_a_table_names_what_there_is(title: str) -> None:
    """The first column has every name that the code has, in its order, and no other."""
    assert first_spans(title) == list(NAMES[title])


def test_extras_install_the_oldest_versions_shown() -> None:
    """The "or newer" of each framework and client is the extra's lower bound."""
    for name, installs, _ in rows("Extra"):
        if oldest := re.search(r"(\S+) or newer", installs):
            requirement = EXTRAS[spans(name)[0]][0]
            assert requirement.endswith(f">={oldest[1]}"), name


def test_options_have_the_defaults_shown() -> None:
    """The table lists every option, with its default."""
    shown = {
        re.sub("`", "", option): re.sub("`", "", default) for option, default, _ in rows("Option")
    }
    assert shown == _defaults(UnisightsOptions)


@pytest.mark.parametrize("kind", [Background, Durable, Retry])
def test_deliveries_have_the_defaults_shown(kind: type[Any]) -> None:
    """The tables list every option of a delivery, and of `Retry`, with its default."""
    table = rows(f"Option of `{kind.__name__}`")
    assert {spans(name)[0]: default.strip("`") for name, default, _ in table} == _defaults(kind)


def _defaults(kind: type[Any]) -> dict[str, str]:
    return {
        field.name: "required"
        if field.default is dataclasses.MISSING
        else repr(field.default).replace("'", '"')
        for field in dataclasses.fields(kind)
    }


def test_serve_has_the_options_shown() -> None:
    """The table lists every option of `unisights serve`, with its default."""
    shown = {spans(row[0])[0]: row[1].strip("`") for row in rows("Command-line option")}
    values = vars(cli._parser().parse_args(["serve"]))
    values["sink"] = "none"  # None means another thing for the origins
    words = {None: "every origin", False: "off"}
    assert shown == {
        "--" + name.replace("_", "-"): words[value] if value in words else str(value)
        for name, value in values.items()
        if name != "command" and not callable(value)
    }


def test_spool_has_the_actions_shown() -> None:
    """The table lists each action of `unisights spool`, with options that it takes."""
    for action, text in rows("Action"):
        for option in re.findall(r"`(--\w+)`", text):
            wanted = [option, *(["1"] if option == "--id" else [])]
            cli._parser().parse_args(["spool", spans(action)[0], *wanted, "FILE"])
    names = ["stat", "list", "export", "retry", "replay", "drop", "repair"]
    assert first_spans("Action") == names


def test_events_have_the_classes_and_attributes_shown() -> None:
    """The table lists every type of event, its class, and the attributes of its data."""
    expected = []
    for event in typing.get_args(types.UnisightsEvent):
        hints = typing.get_type_hints(event)
        (tag,) = typing.get_args(hints["type"])
        expected.append([tag, event.__name__, *(f.name for f in dataclasses.fields(hints["data"]))])
    assert [spans(" ".join(row)) for row in rows("`event.type`")] == expected


def test_rejections_have_the_reasons_shown() -> None:
    """The table lists every reason for which a record is kept."""
    (reasons,) = (text for name, text in rows("Rejection") if name == "`reason`")
    assert set(spans(reasons)) == set(typing.get_args(rejection.RejectionReason))


def test_layers_are_those_of_the_package() -> None:
    """The layers have every module and private package of `unisights/`, and no other."""
    shown = [name for row in rows("Layer") for name in spans(row[0])]
    there = {path.stem for path in (ROOT / "unisights").iterdir()}
    assert sorted(shown) == sorted(there - {"__init__", "__main__", "__pycache__", "py"})


def test_log_events_are_those_of_the_source() -> None:
    """The table lists the events that the package's source logs, and no others."""
    called = re.compile(r"log\(\s*logging\.[A-Z]+,\s*\"(\w+)\"")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "unisights").rglob("*.py")]
    assert set(first_spans("`event`")) == {
        event for text in sources for event in called.findall(text)
    }


def test_adapters_deliver_as_shown() -> None:
    """The table lists each adapter's default, and what it gives to the handler inline."""
    adapters = {f"unisights_{adapter.name.replace('-', '_')}": adapter for adapter in ADAPTERS}
    wanted = {"unisights_fastapi", "unisights_flask", "unisights_django", "unisights_asgi"}
    assert set(first_spans("Made by")) == {*wanted, "unisights_django_async"}
    for name, default, argument in rows("Made by"):
        adapter = adapters[spans(name)[0]]
        is_inline = spans(default) == ["Inline()"]
        call = Call(chunks=(make_body(),))
        app, _ = adapter.make_app(UnisightsOptions())
        assert adapter.call(app, call).status == (200 if is_inline else 202), name
        seen: list[Any] = []
        options = UnisightsOptions(
            delivery="inline", handler=lambda _payload, request, seen=seen: seen.append(request)
        )
        assert adapter.call(adapter.make_app(options)[0], call).status == 200, name
        assert isinstance(seen[0], pkgutil.resolve_name(spans(argument)[0])), name


def _fail(payload: UnisightsPayload, _request: Any) -> None:
    if payload.data.asset_id == "broken":
        raise RuntimeError


REQUESTS = {
    200: Call(chunks=(make_body(),)),
    202: Call(chunks=(make_body(),)),
    204: Call(method="OPTIONS", headers={"Origin": ORIGIN}),
    400: Call(chunks=(b"no JSON",)),
    403: Call(headers={"Origin": "https://other.example"}, chunks=(make_body(),)),
    405: Call(method="GET"),
    413: Call(chunks=(b" " * 1000, b" " * 1000)),
    415: Call(headers={"Content-Type": "text/plain"}, chunks=(make_body(),)),
    422: Call(chunks=(b"{}",)),
    500: Call(chunks=(make_body(asset_id="broken"),)),
    503: Call(chunks=(make_body(),)),
}
"""A request for each status code of the table; 202 and 503 follow each other, in the background."""


def test_requests_get_the_status_codes_shown() -> None:
    """The table lists the codes that a request can bring about, with the responses' keys."""
    options = UnisightsOptions(handler=_fail, allow_origins=[ORIGIN], max_payload_size=1000)
    inline = unisights_asgi(options)
    release = threading.Event()
    waiting = UnisightsOptions(
        handler=lambda _payload, _request: release.wait(30), delivery=Background(queue_size=1)
    )
    background = unisights_asgi(waiting)
    assert [int(code) for code, *_ in rows("Code")] == list(REQUESTS)
    try:
        for code, when, body in rows("Code"):
            app = background if when.startswith("Background:") else inline
            response = call_asgi(app, REQUESTS[int(code)])
            assert response.status == int(code)
            assert (response.header("retry-after") is not None) == ("`Retry-After`" in when)
            keys = re.findall(r'"(\w+)":', spans(body)[0]) if body != "none" else []
            assert list(response.json() if response.body else []) == keys
    finally:
        release.set()


def test_sqlite_has_the_columns_shown(running_server: Any) -> None:
    """The table lists the columns of both tables, in their order."""
    for name, columns in rows("Table"):
        sql = f"SELECT name FROM pragma_table_info('{spans(name)[0]}')"  # noqa: S608  # our own page
        assert spans(columns) == [column for (column,) in running_server.query(sql)]
