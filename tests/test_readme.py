"""The documents keep their word: every code block is run, every table and link is checked."""

import asyncio
import contextlib
import dataclasses
import inspect
import json
import logging
import pkgutil
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import threading
import tomllib
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

import pytest
from django import urls
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI
from flask import Flask

from tests.adapters.apps import set_up_django
from tests.adapters.drivers import Answer, Call, call_asgi, call_wsgi
from tests.chaos import __main__ as chaos
from tests.processes import PYTHON, post, process, read_until, wait_for
from tests.spools import close_spool, query
from tests.support import CAPTURES, ROOT, SESSION_ID, capture, click, make_body
from unisights import (
    Rejection,
    UnisightsData,
    UnisightsOptions,
    UnisightsPayload,
    cli,
    config,
    rejection,
    types,
    validate_unisights_payload,
)
from unisights.asgi import unisights_asgi
from unisights.collector import Collector
from unisights.django import unisights_django, unisights_django_async
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask
from unisights.stats import RefusalReason

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]

BENCHMARKS = ["benchmarks", "benchmarks/apps", "benchmarks/peers"]

ORIGIN = "https://shop.example"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced code block of a document."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Name the block, for the test's id and for messages."""
        return f"{self.document}:{self.line}:{self.language}"


@dataclass(frozen=True)
class Server:
    """A running `unisights serve`: where it is, its file, and what it printed."""

    url: str
    db: Path
    banner: str

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query its file."""
        connection = sqlite3.connect(self.db)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


@dataclass(frozen=True)
class Stage:
    """What a runner may use; the working directory is an empty one."""

    server: Server
    printed: Callable[[], str]


Run = Callable[[Block, Stage], None]


@dataclass(frozen=True)
class Runner:
    """Runs the blocks of a language that hold the marker."""

    language: str
    marker: str
    run: Run


RUNNERS: list[Runner] = []


def runs(language: str, marker: str = "") -> Callable[[Run], Run]:
    """Register a runner; without a marker, for all blocks of the language."""

    def register(run: Run) -> Run:
        RUNNERS.append(Runner(language, marker, run))
        return run

    return register


def runner_of(block: Block) -> Runner:
    """The one runner of a block."""
    found = [r for r in RUNNERS if r.language == block.language and r.marker in block.text]
    assert len(found) == 1, f"{block}: {len(found)} runners, must be one; see tests/test_readme.py"
    return found[0]


def read(document: str) -> str:
    """A document's text."""
    return (ROOT / document).read_text(encoding="utf-8")


def blocks_of(document: str) -> list[Block]:
    """A document's code blocks."""
    text = read(document)
    return [
        Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
    ]


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has received every recorded body."""
    db = tmp_path_factory.mktemp("serve") / "unisights.sqlite3"
    with process([PYTHON, "-m", "unisights", "serve", "--port", "0"], cwd=db.parent) as child:
        banner = read_until(child.stdout, "Stop:")
        found = re.search(r"http://127\.0\.0\.1:\d+", banner)
        assert found is not None
        running = Server(found[0], db, banner)
        for name in CAPTURES:
            assert post(running.port, capture(name))[0] == 200
        yield running


@pytest.fixture
def stage(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stage:
    """What runners use; afterwards, what Litestar does to the root logger is undone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    return Stage(server, lambda: capsys.readouterr().out)


# Python.


def execute(source: str, **names: Any) -> dict[str, Any]:
    """Run a snippet as a module of its own; return its names."""
    module = {"__name__": "snippet", **names}
    exec(compile(source, "snippet", "exec"), module)  # noqa: S102  # our own documents
    return module


def _posting(path: str, body: bytes, headers: dict[str, str]) -> Call:
    sent = {"Content-Type": "application/json", **headers}
    return Call(path=path, headers=sent, chunks=(body or make_body(),))


def post_to(app: Any, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Post JSON to an ASGI app, in process."""
    return call_asgi(app, _posting(path, body, headers))


def post_to_wsgi(app: Any, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Post JSON to a WSGI app, in process."""
    return call_wsgi(app, _posting(path, body, headers))


@contextlib.contextmanager
def django_serving(urlpatterns: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Django's own WSGI and ASGI apps, with an URLconf."""
    set_up_django()
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = urlpatterns  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urlconf):
        yield WSGIHandler(), ASGIHandler()


@runs("python", "app.include_router(unisights_fastapi(options))")
def run_fastapi(block: Block, stage: Stage) -> None:
    """The endpoint is there with and without a trailing slash, and in the OpenAPI document."""
    app = execute(block.text)["app"]
    for path in ("/api/events", "/api/events/"):
        assert post_to(app, path, make_body(events=[click()])).status == 200
        assert stage.printed() == f"{SESSION_ID} sent 1 events\n"
    assert "post" in app.openapi()["paths"]["/api/events"]


@runs("python", "app.register_blueprint(unisights_flask(options))")
def run_flask(block: Block, stage: Stage) -> None:
    """The endpoint is there with and without a trailing slash; its handler runs in the end."""
    app = execute(block.text)["app"]
    for path in ("/api/events", "/api/events/"):
        assert post_to_wsgi(app, path, make_body(events=[click()])).status == 202
        printed: list[str] = []

        def has_run(printed: list[str] = printed) -> bool:
            printed.append(stage.printed())
            return "".join(printed) == f"{SESSION_ID} sent 1 events\n"

        wait_for(has_run, "the handler's run")


@runs("python", "urlpatterns = [")
def run_django(block: Block, stage: Stage) -> None:
    """The endpoint is at the URLconf's path alone, and its name can be swapped for the async one.

    Without its trailing slash, Django redirects, as the text says.
    """
    for view in ("unisights_django", "unisights_django_async"):
        source = re.sub(r"\bunisights_django\b", view, block.text)
        with django_serving(execute(source)["urlpatterns"]) as (wsgi, asgi):
            assert post_to_wsgi(wsgi, "/api/events/").status == 200
            assert post_to(asgi, "/api/events/").status == 200
            assert stage.printed() == 2 * f"{SESSION_ID} sent 0 events\n"
            assert post_to_wsgi(wsgi, "/api/events").status == 301
            assert post_to_wsgi(wsgi, "/events").status == 404


@runs("python", "app = unisights_asgi(UnisightsOptions(handler=handle_event))")
def run_asgi(block: Block, stage: Stage) -> None:
    """The app alone serves the endpoint, and gives the handler a RequestInfo."""
    assert post_to(execute(block.text)["app"], "/events").status == 200
    assert stage.printed() == "192.0.2.7 is on https://example.com/\n"


@runs("python", "lifespan=endpoint.lifespan")
@runs("python", "lifespan=[endpoint.lifespan]")
def run_mount(block: Block, _stage: Stage) -> None:
    """The mounted endpoint is below the mount."""
    app = execute(block.text)["app"]
    assert post_to(app, "/unisights/events").status == 200
    assert post_to(app, "/events").status == 404


@runs("python", "app.asgi_app = unisights_asgi(")
@runs("python", "app.add_middleware(UnisightsASGI")
def run_middleware(block: Block, _stage: Stage) -> None:
    """The middleware serves its path and leaves the others to the app."""
    app = execute(block.text)["app"]
    assert post_to(app, "/events").status == 200
    assert post_to(app, "/other").status == 404


@runs("python", "every_kind = [")
def run_handlers(block: Block, stage: Stage) -> None:
    """Each kind of handler is called."""
    names = execute(block.text)
    for options in names["every_kind"]:
        assert post_to(unisights_asgi(options), "/events").status == 200
    assert stage.printed() == "https://example.com/\n"
    of_lambda, of_object = names["inbox"].get_nowait(), names["inbox"].get_nowait()
    assert of_lambda["session_id"] == SESSION_ID
    assert of_object == make_body()


@runs("python", "on_error=keep")
def run_on_error(block: Block, _stage: Stage) -> None:
    """The payload is acknowledged, and ends up in the file of failures."""
    app = unisights_asgi(execute(block.text)["options"])
    assert post_to(app, "/events").status == 202
    kept = Path("failed.jsonl")
    wait_for(lambda: kept.exists() and kept.read_text().endswith("\n"), "the call of on_error")
    assert json.loads(kept.read_text())["session_id"] == SESSION_ID


@runs("python", "on_reject=keep")
def run_on_reject(block: Block, _stage: Stage) -> None:
    """The record of a bad event ends up in the file, and what is said of it comes true."""
    app = unisights_asgi(execute(block.text)["options"])
    answer = post_to(app, "/events", make_body(events=[click(), {}]))
    assert (answer.status, answer.json()["quarantined"]) == (200, 1)
    (line,) = Path("rejected.jsonl").read_text(encoding="utf-8").splitlines()
    shown = {code_spans(name)[0] for name, _ in rows("README.md", "Rejection")}
    assert shown == {field.name for field in dataclasses.fields(Rejection)}
    assert json.loads(line).keys() == shown - {"raw"} | {"body"}


@runs("python", 'delivery="durable"')
def run_durable(block: Block, stage: Stage) -> None:
    """The payload is acknowledged, handled, and gone from the file that is named."""
    app = execute(block.text)["app"]
    assert post_to(app, "/events").status == 202
    spool = Path("events.spool").absolute()
    wait_for(lambda: query(spool, "SELECT count(*) FROM payloads") == [(0,)], "the delivery")
    assert stage.printed() == f"{SESSION_ID}\n"
    close_spool(spool)


@runs("python", '@app.get("/stats")')
def run_stats(block: Block, _stage: Stage) -> None:
    """A GET answers with the counters as JSON."""
    app = execute(block.text)["app"]
    assert post_to(app, "/events").status == 200
    shown = call_asgi(app, Call(method="GET", path="/stats")).json()
    assert (shown["received"], shown["delivered"]) == (1, 1)


@runs("python", '@app.get("/metrics")')
def run_metrics(block: Block, _stage: Stage) -> None:
    """A GET answers with a line for each counter and each reason."""
    names = execute(block.text)
    assert post_to_wsgi(names["app"], "/events", b"{}").status == 422
    lines = call_wsgi(names["app"], Call(method="GET", path="/metrics")).body.decode().splitlines()
    assert "unisights_received 1" in lines
    assert 'unisights_refused{reason="invalid_payload"} 1' in lines


@runs("python", "def describe(")
def run_narrowing(block: Block, _stage: Stage) -> None:
    """Events can be told apart."""
    names = execute(block.text)
    assert names["describe"](example_payload()) == [
        "page_view",
        "click at 312.0, 88.5",
        "LCP is good",
        "custom",
        "error",
    ]
    assert names["error_messages"](example_payload()) == ["TypeError: cart is null"]


@runs("python", "UnisightsPayload.from_dict(")
def run_assertions(block: Block, _stage: Stage) -> None:
    """What the block asserts holds."""
    assert "assert" in block.text
    execute(block.text)


@runs("python", "validate_unisights_payload(")
def run_validation(block: Block, stage: Stage) -> None:
    """The problems are printed as the next block shows them."""
    execute(block.text)
    shown = next(b for b in BLOCKS if b.document == block.document and b.line > block.line)
    assert shown.language == "text"
    assert stage.printed() == shown.text


@runs("text", " | required | ")
def run_problems(block: Block, _stage: Stage) -> None:
    """The Python block before it prints it, and that block's runner compares."""
    before = [b for b in BLOCKS if b.document == block.document and b.line < block.line]
    assert runner_of(before[-1]).run is run_validation


@runs("python", "@given(payloads())")
def run_strategies(block: Block, _stage: Stage) -> None:
    """The shown test passes."""
    execute(block.text)["test_my_handler"]()


@runs("python", "decode_unisights_payload(b")
def run_decoding(block: Block, stage: Stage) -> None:
    """What is not JSON is an InvalidJSONError, whose message says so."""
    execute(block.text)
    assert "not JSON" in stage.printed()


@runs("python", "CORSMiddleware")
def run_cors_middleware(block: Block, _stage: Stage) -> None:
    """With the framework's middleware too, a cross-origin beacon passes, preflight and POST."""
    app = execute(block.text)["app"]
    preflight = Call(
        method="OPTIONS",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    asked = call_asgi(app, preflight)
    assert asked.status in {200, 204}
    assert "content-type" in (asked.header("access-control-allow-headers") or "").lower()
    sent = post_to(app, "/events", Origin=ORIGIN)
    assert sent.status == 200
    for answer in (asked, sent):
        assert answer.header("access-control-allow-origin") == ORIGIN
        assert answer.header("access-control-allow-credentials") == "true"


@runs("python", "to_kafka = ")
def run_sinks(block: Block, _stage: Stage) -> None:
    """Each sink can be made, and the one that needs no server stores."""
    names = execute(block.text)
    assert post_to(unisights_asgi(names["to_files"]), "/events").status == 200
    (line,) = Path("events.jsonl").read_text(encoding="utf-8").splitlines()
    keys = [code_spans(key)[0] for key, _ in rows("README.md", "Key")]
    assert list(json.loads(line)) == keys


@runs("python", "class MongoHandler")
def run_mongo(block: Block, _stage: Stage) -> None:
    """With a stand-in for the client, the session is inserted, and the client closed."""
    client = AsyncMock()
    insert = client.get_default_database = MagicMock()
    insert.return_value.sessions.insert_one = AsyncMock()
    module = ModuleType("pymongo")
    module.AsyncMongoClient = lambda _url: client  # type: ignore[attr-defined]
    with patch.dict(sys.modules, {"pymongo": module}):
        handler = execute(block.text)["options"].handler
    assert post_to(unisights_asgi(UnisightsOptions(handler=handler)), "/events").status == 200
    (stored,) = insert.return_value.sessions.insert_one.call_args.args
    assert stored["session_id"] == SESSION_ID
    asyncio.run(handler.close())
    client.close.assert_awaited_once()


@runs("python", "SQLiteSink(")
def run_sink(block: Block, _stage: Stage) -> None:
    """The handler stores into the file that it names."""
    names = execute(block.text)
    assert post_to(names["app"], "/events").status == 200
    assert Path("shop.sqlite3").stat().st_size > 0


# JSON, SQL, and what `serve` prints.


def example_payload() -> UnisightsPayload:
    """The payload that the README shows."""
    (block,) = (b for b in BLOCKS if b.language == "json" and "asset_id" in b.text)
    return validate_unisights_payload(json.loads(block.text))


@runs("json", "asset_id")
def run_payload(block: Block, stage: Stage) -> None:
    """The payload is accepted, and holds one event of each type."""
    status, answer = post(stage.server.port, block.text.encode())
    assert status == 200
    assert json.loads(answer)["status"] == "received"
    shown = [event.type for event in example_payload().data.events]
    assert shown == [name.strip("`") for name, *_ in rows("README.md", "`event.type`")]


@runs("json", '"errors"')
def run_refusal(block: Block, stage: Stage) -> None:
    """A click without y is refused with this answer."""
    event = {"type": "click", "data": {"x": 1, "timestamp": 2}}
    status, answer = post(stage.server.port, make_body(events=[event]))
    assert status == 422
    assert json.loads(answer) == json.loads(block.text)


@runs("sql")
def run_query(block: Block, stage: Stage) -> None:
    """The query finds something in a file that holds the recorded bodies."""
    assert stage.server.query(block.text)


@runs("text", "Receiving events at")
def run_banner(block: Block, stage: Stage) -> None:
    """`unisights serve` prints it; `…` stands for what is left out."""
    expected = re.escape(block.text.strip()).replace("…", ".+")
    printed = stage.server.banner.strip().replace(stage.server.url, "http://127.0.0.1:8000")
    assert re.fullmatch(expected, printed)


# Shell.


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell block; a command may span lines."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:
            continue  # A quotation is open.
        if words:
            yield words
        pending = ""
    assert not pending, f"a quotation is never closed: {pending}"


@runs("sh")
def run_shell(block: Block, stage: Stage) -> None:
    """Each command is one that is known how to check, and it passes."""
    for name, *arguments in commands_of(block.text):
        assert name in COMMANDS, f"{block}: it is not known how to check {name!r}"
        COMMANDS[name](arguments, block, stage)


def check_make(arguments: list[str], _block: Block, _stage: Stage) -> None:
    """The target and its variables exist; the options for `unisights serve` too."""
    target, *variables = arguments
    assert re.search(rf"^{re.escape(target)}:.*## ", read("Makefile"), re.MULTILINE), target
    for variable in variables:
        name, _, value = variable.partition("=")
        assert re.search(rf"^{name} *\?=", read("Makefile"), re.MULTILINE), name
        assert f"$({name})" in read("Makefile")
        if target == "run":
            cli._parser().parse_args(["serve", *shlex.split(value)])
        if target == "chaos":
            chaos.make_parser().parse_args(shlex.split(value))


def check_unisights(arguments: list[str], _block: Block, _stage: Stage) -> None:
    """The options are the command's."""
    cli._parser().parse_args(arguments)


def check_pip(arguments: list[str], _block: Block, _stage: Stage) -> None:
    """The extras exist."""
    action, wanted = arguments
    found = re.fullmatch(r"(?:\.|unisights)\[([a-z,]+)\]", wanted)
    assert action == "install"
    assert found is not None
    assert set(found[1].split(",")) <= extras().keys()


def check_curl(arguments: list[str], _block: Block, stage: Stage) -> None:
    """The request is accepted by a running server."""
    command = ["curl", "--silent", "--noproxy", "*", *arguments]
    command = [word.replace("http://127.0.0.1:8000", stage.server.url) for word in command]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    assert "200 OK" in finished.stdout


def check_sqlite3(arguments: list[str], _block: Block, stage: Stage) -> None:
    """The query finds something in the server's file."""
    db, query = arguments
    assert db == stage.server.db.name
    assert stage.server.query(query)


def check_uvicorn(arguments: list[str], block: Block, _stage: Stage) -> None:
    """It serves the app that is meant."""
    check_server(["uvicorn", "--port", "0"], arguments, block)


def check_gunicorn(arguments: list[str], block: Block, _stage: Stage) -> None:
    """It serves the app that is meant."""
    check_server(["gunicorn", "--bind", "127.0.0.1:0"], arguments, block)


def is_listening(port: int) -> bool:
    """Whether a port takes connections; with workers, uvicorn names it before it does."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def check_server(server: list[str], arguments: list[str], block: Block) -> None:
    """The server starts the app, and the endpoint takes a payload.

    The app is an example, or of the `main.py` shown before, which is put into the empty directory.
    Two workers show as much as four, and start sooner.
    """
    module = arguments[0].partition(":")[0]
    if module == "main":
        before = [b for b in BLOCKS if b.document == block.document and b.line < block.line]
        source = [b.text for b in before if b.text.startswith("# main.py\n")][-1]
    else:
        source = (ROOT / "examples" / f"{module}.py").read_text(encoding="utf-8")
    Path(f"{module}.py").write_text(source, encoding="utf-8")
    path = re.search(r'path="([^"]+)"|POST (/[\w/-]+)', source)
    # gunicorn puts a socket of its own into the runtime directory.
    environment = {"XDG_RUNTIME_DIR": str(Path.cwd())}
    few = [word.replace("4", "2") for word in arguments]
    command = [PYTHON, "-m", *server, *few]
    with process(command, cwd=Path.cwd(), env=environment) as child:
        started = read_until(child.stdout, "http://127.0.0.1:")
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", started)[-1])
        wanted = path[1] or path[2] if path else "/events"
        wait_for(lambda: is_listening(port), "the start of a worker")
        assert post(port, make_body(), wanted)[0] == (202 if "unisights.flask" in source else 200)


COMMANDS: dict[str, Callable[[list[str], Block, Stage], None]] = {
    "make": check_make,
    "unisights": check_unisights,
    "pip": check_pip,
    "curl": check_curl,
    "sqlite3": check_sqlite3,
    "uvicorn": check_uvicorn,
    "gunicorn": check_gunicorn,
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_does_what_it_shows(block: Block, stage: Stage) -> None:
    """Every code block of the documents is run; a block that no runner knows fails."""
    runner_of(block).run(block, stage)


def test_no_block_escapes() -> None:
    """Every fence of the documents belongs to a block that is run."""
    for document in DOCUMENTS:
        fences = re.findall(r"^\s*(?:```|~~~)", read(document), re.MULTILINE)
        assert len(fences) == 2 * len(blocks_of(document)), document


def test_no_runner_is_left_over() -> None:
    """Every runner has a block, so that a marker cannot go stale unseen."""
    used = [runner_of(block) for block in BLOCKS]
    assert [runner for runner in RUNNERS if runner not in used] == []


@pytest.mark.parametrize("language", ["", "python", "json", "text", "toml"])
def test_an_unknown_block_fails(language: str) -> None:
    """A block that nothing covers is an error, not a pass."""
    with pytest.raises(AssertionError, match="0 runners"):
        runner_of(Block("README.md", 1, language, "something new\n"))


def test_an_unknown_command_fails(stage: Stage) -> None:
    """A shell command that nothing covers is an error, not a pass."""
    with pytest.raises(AssertionError, match="not known how to check 'docker'"):
        run_shell(Block("README.md", 1, "sh", "make test\ndocker run x\n"), stage)


# Tables and links.


def rows(document: str, title: str) -> list[list[str]]:
    """The rows of the table whose first column has the title."""
    lines = iter(read(document).splitlines())
    for line in lines:
        if line.startswith(f"| {title} |"):
            next(lines)
            break
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    assert found, f"{document} has no table with the title {title!r}"
    return found


def code_spans(cell: str) -> list[str]:
    """What a table's cell has in code font."""
    return re.findall(r"`([^`]+)`", cell)


def pyproject() -> dict[str, Any]:
    """What the package declares."""
    return tomllib.loads(read("pyproject.toml"))


def extras() -> dict[str, list[str]]:
    """The extras that the package declares, and what they take."""
    declared: dict[str, list[str]] = pyproject()["project"]["optional-dependencies"]
    return declared


def test_the_table_of_extras_is_complete() -> None:
    """The README lists the extras that there are, with the oldest versions that they take."""
    shown = {code_spans(name)[0]: installs for name, installs, _ in rows("README.md", "Extra")}
    assert shown.keys() == extras().keys()
    for extra, installs in shown.items():
        if oldest := re.search(r"(\S+) or newer", installs):
            (requirement,) = extras()[extra]
            assert requirement.endswith(f">={oldest[1]}"), extra


def test_the_table_of_options_is_complete() -> None:
    """The README lists every option, with its default."""
    shown = {code_spans(row[0])[0]: code_spans(row[1])[0] for row in rows("README.md", "Option")}
    fields = dataclasses.fields(UnisightsOptions)
    defaults = {field.name: repr(field.default).replace("'", '"') for field in fields}
    assert shown == defaults


def test_the_table_of_serve_options_is_complete() -> None:
    """The README lists every option of `unisights serve`, with its default."""
    shown = {
        code_spans(row[0])[0]: row[1].strip("`") for row in rows("README.md", "Command-line option")
    }
    values = vars(cli._parser().parse_args(["serve"]))
    values["sink"] = "none"  # None means another thing for the origins
    words = {None: "every origin", False: "off"}
    expected = {
        "--" + name.replace("_", "-"): words[value] if value in words else str(value)
        for name, value in values.items()
        if name != "command" and not callable(value)
    }
    assert shown == expected


def test_the_table_of_events_is_complete() -> None:
    """The README lists every type of event, its class, and the attributes of its data."""
    expected = []
    for event in typing.get_args(types.Event):
        hints = typing.get_type_hints(event)
        (tag,) = typing.get_args(hints["type"])
        expected.append([tag, event.__name__, *(f.name for f in dataclasses.fields(hints["data"]))])
    shown = [
        [span for cell in row for span in code_spans(cell)]
        for row in rows("README.md", "`event.type`")
    ]
    assert shown == expected


def test_the_table_of_sqlite_columns_is_complete(server: Server) -> None:
    """The README lists the columns of both tables."""
    for name, columns in rows("README.md", "Table"):
        found = server.query(f"SELECT name FROM pragma_table_info('{code_spans(name)[0]}')")  # noqa: S608  # our own document
        assert code_spans(columns) == [column for (column,) in found]


def test_the_table_of_deliveries_is_complete() -> None:
    """The README lists each delivery, with its answers; the status codes are tested below."""
    shown = {code_spans(row[0])[0].strip('"') for row in rows("README.md", "`delivery`")}
    assert shown == set(typing.get_args(config.DeliveryMode))


Serve = Callable[[UnisightsOptions], Answer]


def _serve_asgi(options: UnisightsOptions) -> Answer:
    return post_to(unisights_asgi(options), "/events")


def _serve_fastapi(options: UnisightsOptions) -> Answer:
    app = FastAPI()
    app.include_router(unisights_fastapi(options))
    return post_to(app, "/events")


def _serve_flask(options: UnisightsOptions) -> Answer:
    app = Flask("app")
    app.register_blueprint(unisights_flask(options))
    return post_to_wsgi(app, "/events")


def _serve_django(options: UnisightsOptions) -> Answer:
    with django_serving([urls.path("events", unisights_django(options))]) as (wsgi, _):
        return post_to_wsgi(wsgi, "/events")


def _serve_django_async(options: UnisightsOptions) -> Answer:
    with django_serving([urls.path("events", unisights_django_async(options))]) as (_, asgi):
        return post_to(asgi, "/events")


SERVE: dict[str, Serve] = {
    "unisights_fastapi": _serve_fastapi,
    "unisights_flask": _serve_flask,
    "unisights_django": _serve_django,
    "unisights_django_async": _serve_django_async,
    "unisights_asgi": _serve_asgi,
}
"""By the function that makes the endpoint: how it is served, and takes a payload."""


def test_the_table_of_counters_is_complete() -> None:
    """The README names each counter, in the order of `to_dict`."""
    shown = [code_spans(row[0])[0] for row in rows("README.md", "Counter")]
    assert shown == list(Collector(UnisightsOptions()).stats().to_dict())


def test_the_table_of_reasons_is_complete() -> None:
    """The README lists every reason that is counted."""
    shown = [code_spans(row[0])[0] for row in rows("README.md", "Reason")]
    assert shown == list(typing.get_args(RefusalReason))


def test_the_table_of_log_events_is_complete() -> None:
    """The README lists the events that the package's source logs, and no others."""
    shown = {code_spans(row[0])[0] for row in rows("README.md", "`event`")}
    called = re.compile(r"log\(\s*logging\.[A-Z]+,\s*\"(\w+)\"")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "unisights").rglob("*.py")]
    logged = {event for source in sources for event in called.findall(source)}
    assert shown == logged


def test_the_table_of_invalid_events_is_complete() -> None:
    """The README lists what may become of invalid events, and every reason for a record."""
    shown = {code_spans(row[0])[0].strip('"') for row in rows("README.md", "`invalid_events`")}
    assert shown == set(typing.get_args(config.InvalidEvents))
    (reasons,) = (text for name, text in rows("README.md", "Rejection") if name == "`reason`")
    named = {reason.strip('"') for reason in code_spans(reasons)}
    assert named == set(typing.get_args(rejection.RejectionReason))


def test_the_table_of_durabilities_is_complete() -> None:
    """The README lists each durability."""
    shown = {code_spans(row[0])[0].strip('"') for row in rows("README.md", "`durability`")}
    assert shown == set(typing.get_args(config.Durability))


def test_the_table_of_spool_actions_is_complete() -> None:
    """The README lists each action of `unisights spool`, and its options."""
    for action, text in rows("README.md", "Action"):
        for option in re.findall(r"`(--\w+)`", text):
            wanted = [option, *(["1"] if option == "--id" else [])]
            cli._parser().parse_args(["spool", code_spans(action)[0], *wanted, "FILE"])
    shown = [code_spans(row[0])[0] for row in rows("README.md", "Action")]
    assert shown == ["stat", "list", "export", "retry", "replay", "repair"]


def test_the_table_of_adapters_is_complete() -> None:
    """The README lists each adapter's default, and what it gives to the handler inline."""
    shown = rows("README.md", "Made by")
    assert [code_spans(name)[0] for name, *_ in shown] == list(SERVE)
    for name, default, argument in shown:
        serve = SERVE[code_spans(name)[0]]
        is_inline = code_spans(default) == ['"inline"']
        assert serve(UnisightsOptions()).status == (200 if is_inline else 202), name
        seen: list[Any] = []
        options = UnisightsOptions(
            delivery="inline", handler=lambda _payload, request, seen=seen: seen.append(request)
        )
        assert serve(options).status == 200, name
        assert isinstance(seen[0], pkgutil.resolve_name(code_spans(argument)[0])), name


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


def test_the_table_of_status_codes_is_complete() -> None:
    """The README lists the codes that a request can bring about, with the answers' keys."""
    options = UnisightsOptions(handler=_fail, allow_origins=[ORIGIN], max_payload_size=1000)
    inline = unisights_asgi(options)
    let_go = threading.Event()
    waiting = UnisightsOptions(
        handler=lambda _payload, _request: let_go.wait(30), delivery="background", queue_size=1
    )
    background = unisights_asgi(waiting)
    shown = rows("README.md", "Code")
    assert [int(code) for code, *_ in shown] == list(REQUESTS)
    try:
        for code, when, body in shown:
            app = background if when.startswith("Background:") else inline
            answer = call_asgi(app, REQUESTS[int(code)])
            assert answer.status == int(code)
            assert (answer.header("retry-after") is not None) == ("`Retry-After`" in when)
            keys = re.findall(r'"(\w+)":', code_spans(body)[0]) if body != "none" else []
            assert list(answer.json() if answer.body else []) == keys
    finally:
        let_go.set()


def test_the_matrix_is_the_documented_one() -> None:
    """CONTRIBUTING lists the environments of the test matrix."""
    shown = [code_spans(row[0])[0] for row in rows("CONTRIBUTING.md", "Environment")]
    assert shown == pyproject()["tool"]["tox"]["env_list"]


def test_every_example_is_documented() -> None:
    """The README shows how each example is started in production."""
    (block,) = (b for b in BLOCKS if "fastapi_example:app" in b.text)
    for example in (ROOT / "examples").glob("*.py"):
        assert f" {example.stem}:" in block.text, example


def test_links_lead_somewhere() -> None:
    """Links to files and to headings have something at their other end."""
    for document in DOCUMENTS:
        text = FENCE.sub("", read(document))
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("#"):
                assert target[1:] in anchors, f"{document}: {target}"
            elif not target.startswith("https://"):
                assert (ROOT / target).exists(), f"{document}: {target}"


def test_the_map_names_every_module() -> None:
    """CONTRIBUTING says of each module what it knows."""
    text = read("CONTRIBUTING.md")
    for package in ("unisights", "unisights/sinks", "codegen", *BENCHMARKS):
        for path in (ROOT / package).glob("*.py"):
            if not path.name.startswith("__init__"):
                assert f"`{path.name}`" in text, f"{package}/{path.name}"


# The snippets of the product's page, as they are written there.

FASTAPI_SNIPPET = """\
from fastapi import FastAPI
from unisights import UnisightsOptions
from unisights.fastapi import unisights_fastapi

app = FastAPI()

async def handle_event(payload, request):
    \"\"\"Process analytics event\"\"\"
    session_id = payload.data.session_id
    events = payload.data.events

    # Save to database, send to analytics, etc.
    print(f"Session {session_id}: {len(events)} events")

# Configure and include router
options = UnisightsOptions(
    path="/api/events",
    handler=handle_event,
    validate_schema=True,
    max_payload_size=5*1024*1024  # 5MB
)

app.include_router(unisights_fastapi(options))
"""

FLASK_SNIPPET = """\
from flask import Flask
from unisights import UnisightsOptions
from unisights.flask import unisights_flask

app = Flask(__name__)

async def handle_event(payload, request):
    \"\"\"Process analytics event\"\"\"
    session_id = payload.data.session_id
    events = payload.data.events

    # Save to database, send to analytics, etc.
    print(f"Session {session_id}: {len(events)} events")

# Configure and register blueprint
options = UnisightsOptions(
    path="/api/events",
    handler=handle_event,
    validate_schema=True
)

app.register_blueprint(unisights_flask(options))

app.run()
"""

DJANGO_SNIPPET = """\
from django.urls import path
from unisights import UnisightsOptions
from unisights.django import unisights_django

async def handle_event(payload, request):
    \"\"\"Process analytics event\"\"\"
    session_id = payload.data.session_id
    events = payload.data.events

    # Save to database, send to analytics, etc.
    print(f"Session {session_id}: {len(events)} events")

# Sync view (default)
options = UnisightsOptions(handler=handle_event)
urlpatterns = [
    path("api/events/", unisights_django(options))
]

# OR async view (Django 4.1+)
# from unisights.django import unisights_django_async
# urlpatterns = [
#     path("api/events/", unisights_django_async(options))
# ]
"""

HANDLER_SNIPPET = """\
async def handle_event(payload, request):
    \"\"\"
    Args:
        payload: UnisightsPayload (fully validated)
        request: Framework request object
    \"\"\"
    # Access session data
    session_id = payload.data.session_id
    page_url = payload.data.page_url
    device = payload.data.device_info.browser

    # Process events
    for event in payload.data.events:
        if event.type == "error":
            # Handle JavaScript errors
            await send_to_error_tracking(event)
        elif event.type == "web_vital":
            # Track performance metrics
            await send_to_analytics(event)
        elif event.type == "click":
            # Log user interactions
            await log_click(event)

    # Save entire session to database
    await db.sessions.insert_one(payload.data.to_dict())
"""

UNIT_TEST_SNIPPET = """\
from unisights.validator import validate_unisights_payload
from uuid import uuid4
import pytest

def test_event_validation():
    payload = validate_unisights_payload({
        "encrypted": False,
        "data": {
            "asset_id": "prop_123",
            "session_id": str(uuid4()),
            "page_url": "https://example.com",
            "entry_page": "https://example.com",
            "events": []
        }
    })
    assert payload.data.asset_id == "prop_123"
"""


PRINTED = f"Session {SESSION_ID}: 1 events\n"
"""What the handler of the page's snippets prints."""


@pytest.fixture(params=["async def", "def"])
def with_handler(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A snippet as it is written, whose handler is async; and with a sync one in its place."""
    return lambda snippet: snippet.replace("async def", request.param)


def test_the_pages_fastapi_snippet(
    with_handler: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's FastAPI app runs as written, and its handler prints the session."""
    app = execute(with_handler(FASTAPI_SNIPPET))["app"]
    assert post_to(app, "/api/events", make_body(events=[click()])).status == 200
    assert capsys.readouterr().out == PRINTED


# What a test cannot take is the fixed port.
RUN_ON_ANY_PORT = """\
import flask, functools, runpy
flask.Flask.run = functools.partialmethod(flask.Flask.run, port=0)
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_pages_flask_snippet(with_handler: Callable[[str], str], tmp_path: Path) -> None:
    """The page's Flask app runs as written, `app.run()` too, and its handler prints the session."""
    (tmp_path / "app.py").write_text(with_handler(FLASK_SNIPPET), encoding="utf-8")
    with process([PYTHON, "-c", RUN_ON_ANY_PORT], cwd=tmp_path) as child:
        started = read_until(child.stdout, "Running on http://127.0.0.1:")
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", started)[-1])
        assert post(port, make_body(events=[click()]), "/api/events")[0] == 202
        # The server's log, from another thread, may come before the line's end.
        read_until(child.stdout, PRINTED.rstrip())


@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_the_pages_django_snippet(
    view: str,
    interface: str,
    with_handler: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page's URLconf serves as written, and so does its other half; neither needs a package."""
    snippet = with_handler(DJANGO_SNIPPET)
    if view == "async":
        head, _, commented = snippet.partition("# OR async view (Django 4.1+)\n")
        snippet = head + re.sub("^# ", "", commented, flags=re.MULTILINE)
    urlpatterns = execute(snippet)["urlpatterns"]
    assert inspect.iscoroutinefunction(urlpatterns[0].callback) == (view == "async")
    body = make_body(events=[click()])
    with django_serving(urlpatterns) as (wsgi, asgi):
        if interface == "wsgi":
            answer = post_to_wsgi(wsgi, "/api/events/", body, Origin=ORIGIN)
        else:
            answer = post_to(asgi, "/api/events/", body, Origin=ORIGIN)
    assert answer.status == 200
    assert answer.header("access-control-allow-origin") == ORIGIN
    assert capsys.readouterr().out == PRINTED


def test_the_endpoint_goes_around_django() -> None:
    """What the README says for those whose disk counts: a body over the limit never gets there."""
    read = []

    @csrf_exempt
    def read_body(request: Any) -> Any:
        read.append(request.body)
        return HttpResponse()

    with django_serving([urls.path("other", read_body)]) as (_, django_app):
        app = unisights_asgi(UnisightsOptions(max_payload_size=1000), django_app)
        assert post_to(app, "/events").status == 200
        assert post_to(app, "/events", b" " * 1001).status == 413
        assert read == []
        assert post_to(app, "/other", b"body").status == 200
    assert read == [b"body"]


def test_the_pages_handler_snippet() -> None:
    """The page's handler gets each event where it belongs, and a dict that is ready for JSON."""
    calls = {
        name: AsyncMock() for name in ("send_to_error_tracking", "send_to_analytics", "log_click")
    }
    insert = AsyncMock()
    db = SimpleNamespace(sessions=SimpleNamespace(insert_one=insert))
    handler = execute(HANDLER_SNIPPET, db=db, **calls)["handle_event"]
    data = example_payload().data.to_dict()
    app = unisights_asgi(UnisightsOptions(handler=handler))
    assert post_to(app, "/events", json.dumps({"data": data}).encode()).status == 200
    received = {name: call.call_args.args[0].type for name, call in calls.items()}
    assert received == {
        "send_to_error_tracking": "error",
        "send_to_analytics": "web_vital",
        "log_click": "click",
    }
    (stored,) = insert.call_args.args
    assert UnisightsData.from_dict(json.loads(json.dumps(stored))) == example_payload().data


def test_the_pages_unit_test_snippet() -> None:
    """The page's unit test passes as written."""
    execute(UNIT_TEST_SNIPPET)["test_event_validation"]()
