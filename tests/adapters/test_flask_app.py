"""What Flask alone has: its default, its request, several blueprints, flask-cors."""

from typing import Any

import pytest

pytest.importorskip("flask")

import flask

from tests.adapters.drivers import Call, call_wsgi
from tests.processes import wait_for
from tests.support import make_body
from unisights import RequestInfo, UnisightsOptions
from unisights.flask import unisights_flask

JSON = {"content-type": "application/json"}


def _app(**options: Any) -> Any:
    app = flask.Flask("app")
    app.register_blueprint(unisights_flask(UnisightsOptions(**options)))
    return app


def _post(app: Any, path: str = "/events", **headers: str) -> Any:
    return call_wsgi(app, Call(path=path, headers={**JSON, **headers}, chunks=(make_body(),)))


def test_the_default_is_background(recorder: Any) -> None:
    """Without a delivery option, the answer is 202 and the handler gets the RequestInfo."""
    assert _post(_app(handler=recorder)).status == 202
    wait_for(lambda: recorder.requests, "the handler's run")
    assert isinstance(recorder.requests[0], RequestInfo)


def test_inline_the_handler_gets_flasks_request() -> None:
    """Inline, the second argument is Flask's own request, and its body can be read."""
    seen: list[Any] = []

    def handler(payload: Any, request: Any) -> None:
        seen.append((request, request.get_data(), request.get_json()))

    assert _post(_app(handler=handler, delivery="inline")).status == 200
    ((request, data, parsed),) = seen
    assert isinstance(request, flask.Request)
    assert data == make_body()
    assert parsed["encrypted"] is False


@pytest.mark.parametrize("posted", ["/api/events", "/api/events/"])
@pytest.mark.parametrize("path", ["/events", "/events/"])
def test_neither_spelling_of_the_path_redirects(path: str, posted: str) -> None:
    """With or without a trailing slash, declared or posted, below a prefix: the beacon arrives."""
    app = flask.Flask("app")
    app.register_blueprint(unisights_flask(UnisightsOptions(path=path)), url_prefix="/api")
    assert _post(app, posted).status == 202


def test_two_endpoints_live_in_one_app() -> None:
    """Each blueprint has its own options and its own name."""
    app = flask.Flask("app")
    app.register_blueprint(unisights_flask(UnisightsOptions(path="/a", max_payload_size=10)))
    app.register_blueprint(unisights_flask(UnisightsOptions(path="/b")))
    assert _post(app, "/a").status == 413
    assert _post(app, "/b").status == 202


def test_the_test_client_works() -> None:
    """Flask's own test client posts as users' tests would."""
    answer = (
        _app(delivery="inline")
        .test_client()
        .post("/events", data=make_body(), content_type="application/json")
    )
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "received"


@pytest.mark.parametrize(
    "settings", [{}, {"supports_credentials": True}, {"origins": ["https://page.example"]}]
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_there_is_one_origin_header_beside_flask_cors(
    settings: dict[str, Any], method: str
) -> None:
    """An app that also runs flask-cors sends the header once."""
    flask_cors = pytest.importorskip("flask_cors")
    app = _app()
    flask_cors.CORS(app, **settings)
    headers = {**JSON, "origin": "https://page.example", "access-control-request-method": "POST"}
    answer = call_wsgi(app, Call(method, headers=headers, chunks=(make_body(),)))
    assert answer.status in {202, 204}
    assert answer.header("access-control-allow-origin") in {"https://page.example", "*"}


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_may_have_been_read_before(chunked: bool) -> None:
    """A `before_request` that reads the body leaves it readable for the endpoint."""
    app = _app(delivery="inline")

    @app.before_request
    def read() -> None:
        assert flask.request.get_data() == make_body()

    body = make_body()
    chunks = (body[:9], body[9:]) if chunked else (body,)
    assert call_wsgi(app, Call(headers=JSON, chunks=chunks)).status == 200


def test_a_body_that_was_begun_may_be_cut() -> None:
    """A `before_request` that has begun to read half a body leaves the refusal to the endpoint."""
    app = flask.Flask("app")
    blueprint = unisights_flask()
    app.register_blueprint(blueprint)

    @app.before_request
    def begin() -> None:
        assert flask.request.stream is not None

    headers = {**JSON, "origin": "https://page.example"}
    answer = call_wsgi(app, Call(headers=headers, chunks=(make_body(),), disconnects=True))
    assert answer.status == 400
    assert answer.header("access-control-allow-origin") == "https://page.example"
    assert answer.header("vary") == "Origin"
    assert blueprint.unisights.stats().refused["cut_body"] == 1
