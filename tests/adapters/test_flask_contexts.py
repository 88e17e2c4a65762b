"""Flask's contexts: the user's functions run in one of the app, whenever and wherever they run."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("flask")

import flask
from flask import current_app, g

from tests.adapters.drivers import Call, call_wsgi
from tests.processes import wait_for
from tests.support import make_body
from unisights import Background, Durable, Inline, Retry, UnisightsOptions
from unisights.flask import UnisightsBlueprint, unisights_flask

DELIVERIES: dict[str, Callable[[Path], Any]] = {
    "inline": lambda _: Inline(),
    "background": lambda _: Background(),
    "durable": lambda directory: Durable(
        directory / "events.spool", retry=Retry(attempts=1, pause=0.01)
    ),
}
LATER = [name for name in DELIVERIES if name != "inline"]

all_colours = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


class _Handler:
    """Notes where each of its functions finds the app, its `g`, and what a teardown saw."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.notes: dict[str, list[str]] = {}

    def note(self, name: str) -> None:
        # What an earlier payload has left in `g` would be seen here.
        left = g.get("left", "")
        g.left = "left behind"
        self.notes.setdefault(name, []).append(current_app.name + left)

    def __call__(self, payload: Any, request: Any) -> None:
        self.note("handler")
        if self.fails:
            raise LookupError("no such place")

    def open(self) -> None:
        self.note("open")

    def close(self) -> None:
        self.note("close")

    def on_error(self, payload: Any, error: Exception) -> None:
        self.note("on_error")

    def on_reject(self, rejection: Any) -> None:
        self.note("on_reject")


class _AsyncHandler(_Handler):
    """Likewise, after each function has waited."""

    async def __call__(self, payload: Any, request: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().__call__(payload, request)

    async def open(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().open()

    async def close(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().close()

    async def on_error(self, payload: Any, error: Exception) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().on_error(payload, error)

    async def on_reject(self, rejection: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().on_reject(rejection)


def _make(handler: _Handler, delivery: Any) -> UnisightsBlueprint:
    return unisights_flask(
        UnisightsOptions(
            handler=handler,
            on_error=handler.on_error,
            on_reject=handler.on_reject,
            delivery=delivery,
        )
    )


def _app(blueprint: UnisightsBlueprint, name: str = "shop") -> flask.Flask:
    app = flask.Flask(name)
    app.register_blueprint(blueprint)
    return app


def _post(app: Any, body: bytes | None = None) -> int:
    headers = {"content-type": "application/json"}
    return call_wsgi(app, Call(headers=headers, chunks=(body or make_body(),))).status


@all_colours
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_all_functions_run_in_the_apps_context(
    delivery: str, is_async: bool, tmp_path: Path
) -> None:
    """The handler, `open`, `close`, `on_error` and `on_reject` find the app, in each delivery."""
    handler = (_AsyncHandler if is_async else _Handler)(fails=True)
    blueprint = _make(handler, DELIVERIES[delivery](tmp_path))
    app = _app(blueprint)
    assert _post(app) in {202, 500}
    assert _post(app, b"[]") == 422
    wait_for(lambda: "on_error" in handler.notes, "the call of on_error")
    blueprint.unisights.close()
    assert {*handler.notes} == {"handler", "open", "close", "on_error", "on_reject"}
    if delivery != "inline":
        # Inline, all that belongs to a request shares the request's context.
        assert handler.notes == {name: ["shop"] for name in handler.notes}


@all_colours
@pytest.mark.parametrize("delivery", LATER)
def test_each_payload_has_a_context_of_its_own(
    delivery: str, is_async: bool, tmp_path: Path
) -> None:
    """`g` is empty for each payload, and teardown functions are given the payload's exception."""
    handler = (_AsyncHandler if is_async else _Handler)()
    blueprint = _make(handler, DELIVERIES[delivery](tmp_path))
    app = _app(blueprint)
    seen: list[str] = []

    @app.teardown_appcontext
    def tear_down(error: BaseException | None) -> None:
        if "left" in g:
            seen.append(type(error).__name__)

    for fails in (False, True, False):
        handler.fails = fails
        assert _post(app) == 202
        assert blueprint.unisights.drain(30)
    blueprint.unisights.close()
    assert handler.notes["handler"] == ["shop"] * 3
    assert seen == [
        *("NoneType", "NoneType"),  # open, and the first payload
        *("LookupError", "NoneType"),  # the second one, and on_error
        *("NoneType", "NoneType"),  # the third one, and close
    ]


@pytest.mark.parametrize("delivery", LATER)
def test_one_blueprint_in_several_apps(delivery: str, tmp_path: Path) -> None:
    """Background: the payload's own app. Durable: the one that has registered it last."""
    handler = _Handler()
    blueprint = _make(handler, DELIVERIES[delivery](tmp_path))
    first, second = _app(blueprint, "first"), _app(blueprint, "second")
    for app in (first, second, first):
        assert _post(app) == 202
        assert blueprint.unisights.drain(30)
    blueprint.unisights.close()
    in_background = ["first", "second", "first"]
    assert handler.notes["handler"] == (
        in_background if delivery == "background" else ["second"] * 3
    )


@pytest.mark.parametrize("delivery", LATER)
def test_a_factory_that_makes_the_blueprint_too(delivery: str, tmp_path: Path) -> None:
    """Each app of a factory has its own context, also if it is nested in another blueprint."""
    handlers = [_Handler(), _Handler()]
    for number, handler in enumerate(handlers):
        directory = tmp_path / str(number)
        directory.mkdir()
        blueprint = _make(handler, DELIVERIES[delivery](directory))
        outer = flask.Blueprint("outer", __name__)
        outer.register_blueprint(blueprint)
        app = flask.Flask(f"app{number}")
        app.register_blueprint(outer)
        assert _post(app) == 202
        assert blueprint.unisights.drain(30)
        blueprint.unisights.close()
    assert [handler.notes["handler"] for handler in handlers] == [["app0"], ["app1"]]


def test_apps_that_are_gone_are_not_kept() -> None:
    """A blueprint that many apps have registered keeps the last one; one of its own keeps none."""
    shared = _make(_Handler(), Inline())
    apps = [weakref.ref(_app(shared)) for _ in range(50)]
    apps += [weakref.ref(_app(_make(_Handler(), Inline()))) for _ in range(50)]
    gc.collect()
    assert [number for number, app in enumerate(apps) if app() is not None] == [49]


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_flasks_own_test_tools_work(delivery: str, tmp_path: Path) -> None:
    """A test client, also as a context manager, and `test_request_context`."""
    handler = _Handler()
    blueprint = _make(handler, DELIVERIES[delivery](tmp_path))
    app = _app(blueprint)
    answers = []
    with app.test_client() as client:
        answers.append(client.post("/events", data=make_body(), content_type="application/json"))
        blueprint.unisights.drain(30)
    with app.app_context():
        answers.append(
            app.test_client().post("/events", data=make_body(), content_type="application/json")
        )
        blueprint.unisights.drain(30)
    with app.test_request_context(
        "/events", method="POST", data=make_body(), content_type="application/json"
    ):
        answers.append(app.full_dispatch_request())
        blueprint.unisights.drain(30)
    blueprint.unisights.close()
    assert {answer.status_code for answer in answers} == {200 if delivery == "inline" else 202}
    assert [name.removesuffix("left behind") for name in handler.notes["handler"]] == ["shop"] * 3


@all_colours
@pytest.mark.parametrize("delivery", LATER)
def test_a_failed_payload_leaves_no_dirty_session(
    delivery: str, is_async: bool, tmp_path: Path
) -> None:
    """Flask-SQLAlchemy: each payload has a session of its own, which is removed after it."""
    pytest.importorskip("flask_sqlalchemy")
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy.orm import Mapped, mapped_column

    app = flask.Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    db = SQLAlchemy(app)

    class Visit(db.Model):  # type: ignore[name-defined,misc]
        session: Mapped[str] = mapped_column(primary_key=True)

    def store(session: str) -> None:
        db.session.add(Visit(session=session))
        db.session.commit()

    def handle(payload: Any, request: Any) -> None:
        store(payload.data.asset_id)

    async def handle_async(payload: Any, request: Any) -> None:
        await asyncio.sleep(0)
        store(payload.data.asset_id)

    failed: list[str] = []

    def keep(payload: Any, error: Exception) -> None:
        store(f"failed-{payload.data.asset_id}")
        failed.append(type(error).__name__)

    chosen = DELIVERIES[delivery](tmp_path)
    blueprint = unisights_flask(
        UnisightsOptions(
            handler=handle_async if is_async else handle, delivery=chosen, on_error=keep
        )
    )
    app.register_blueprint(blueprint)
    with app.app_context():
        db.create_all()
    # The second one breaks the primary key, which leaves a session that must be rolled back.
    for label in ("a", "a", "b"):
        assert _post(app, make_body(asset_id=label)) == 202
        assert blueprint.unisights.drain(30)
    wait_for(lambda: failed, "the call of on_error")
    blueprint.unisights.close()
    assert failed == ["IntegrityError"]
    with app.app_context():
        assert sorted(visit.session for visit in db.session.scalars(db.select(Visit))) == [
            *("a", "b", "failed-a")
        ]
        db.session.remove()
        # No payload has kept a connection.
        assert db.engine.pool.checkedout() == 0
        db.engine.dispose()
