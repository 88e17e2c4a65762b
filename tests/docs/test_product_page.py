"""The snippets of the product's page run as they are written there."""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
from sybil import Document

from tests.docs import checks
from tests.docs.blocks import parse
from tests.processes import PYTHON, post, process, read_until
from tests.support import SESSION_ID, click, make_body
from unisights import UnisightsData, UnisightsOptions
from unisights.asgi import unisights_asgi

_page = Document.parse(str(Path(__file__).with_name("product_page.md")), parse)
FASTAPI, FLASK, DJANGO, HANDLER, UNIT_TEST = (example.parsed.source for example in _page)

BODY = make_body(events=[click()])

PRINTED = f"Session {SESSION_ID}: 1 events\n"
"""What the handler of the snippets prints."""


@pytest.fixture(params=["async def", "def"])
def with_handler(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A snippet as it is written, whose handler is async; and with a sync one in its place."""
    return lambda snippet: snippet.replace("async def", request.param)


def test_the_fastapi_snippet(
    with_handler: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The FastAPI app runs, and its handler prints the session."""
    app = checks.run(with_handler(FASTAPI))["app"]
    assert checks.post(app, "/api/events", BODY).status == 200
    assert capsys.readouterr().out == PRINTED


# What a test cannot take is the fixed port.
RUN_ON_ANY_PORT = """\
import flask, functools, runpy
flask.Flask.run = functools.partialmethod(flask.Flask.run, port=0)
runpy.run_path("app.py", run_name="__main__")
"""


def test_the_flask_snippet(with_handler: Callable[[str], str], tmp_path: Path) -> None:
    """The Flask app runs, `app.run()` too, and its handler prints the session."""
    (tmp_path / "app.py").write_text(with_handler(FLASK), encoding="utf-8")
    with process([PYTHON, "-c", RUN_ON_ANY_PORT], cwd=tmp_path) as child:
        started = read_until(child, "Running on http://127.0.0.1:")
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", started)[-1])
        assert post(port, BODY, "/api/events")[0] == 202
        # The server's log, from another thread, may come before the line's end.
        read_until(child, PRINTED.rstrip())


@pytest.mark.parametrize("view", ["sync", "async"])
@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_the_django_snippet(
    view: str,
    interface: str,
    with_handler: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The URLconf serves, and so does its other half; neither needs a CORS package."""
    snippet = with_handler(DJANGO)
    if view == "async":
        head, _, commented = snippet.partition("# OR async view (Django 4.1+)\n")
        snippet = head + re.sub("^# ", "", commented, flags=re.MULTILINE)
    urlpatterns = checks.run(snippet)["urlpatterns"]
    assert inspect.iscoroutinefunction(urlpatterns[0].callback) == (view == "async")
    with checks.django_serving(urlpatterns) as (wsgi, asgi):
        app = wsgi if interface == "wsgi" else asgi
        response = checks.post(app, "/api/events/", BODY, Origin=checks.ORIGIN)
    assert response.status == 200
    assert response.header("access-control-allow-origin") == checks.ORIGIN
    assert capsys.readouterr().out == PRINTED


def test_the_handler_snippet() -> None:
    """The handler gets each event where it belongs, and a dict that is ready for JSON."""
    calls = {
        name: AsyncMock() for name in ("send_to_error_tracking", "send_to_analytics", "log_click")
    }
    insert = AsyncMock()
    db = SimpleNamespace(sessions=SimpleNamespace(insert_one=insert))
    handler = checks.run(HANDLER, db=db, **calls)["handle_event"]
    data = checks.example_payload().data
    app = unisights_asgi(UnisightsOptions(handler=handler))
    assert checks.post(app, "/events", json.dumps({"data": data.to_dict()}).encode()).status == 200
    assert {name: called.call_args.args[0].type for name, called in calls.items()} == {
        "send_to_error_tracking": "error",
        "send_to_analytics": "web_vital",
        "log_click": "click",
    }
    (stored,) = insert.call_args.args
    assert UnisightsData.from_dict(json.loads(json.dumps(stored))) == data


def test_the_unit_test_snippet() -> None:
    """The unit test passes."""
    checks.run(UNIT_TEST)["test_event_validation"]()
