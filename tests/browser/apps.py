"""The apps that pages send to; real servers run them, and all that arrives is written down.

Each app has two endpoints: one that is open to every origin, and one that lists a single origin.
"""

import base64
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from unisights import UnisightsOptions

OPEN = "/open/events"
LISTED = "/listed/events"

_SETTINGS = "BROWSER_TEST_SETTINGS"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an app is to be like.

    Attributes:
        journal: the file that is written, one JSON object a line.
        listed_origin: the one origin that the listed endpoint takes.
        cors: the settings of the framework's CORS middleware; without them it does not run.
    """

    journal: Path
    listed_origin: str
    cors: dict[str, Any] | None = None

    def to_environment(self) -> dict[str, str]:
        """The environment that hands these settings to the app's process."""
        return {_SETTINGS: json.dumps(asdict(self), default=str)}

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings that were handed to this process."""
        given = json.loads(os.environ[_SETTINGS])
        return cls(**{**given, "journal": Path(given["journal"])})


class _Recorder:
    """Writes down what is answered and what is handled."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def asgi(self, app: Any) -> Any:
        """The app, with its answers recorded."""

        async def recorded(scope: Any, receive: Any, send: Any) -> None:
            async def record_and_send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    self._answered(scope["method"], scope["path"], message["status"])
                await send(message)

            await app(scope, receive, record_and_send)

        return recorded

    def wsgi(self, app: Any) -> Any:
        """The app, with its answers recorded."""

        def recorded(environ: Any, start_response: Any) -> Any:
            def record_and_start(status: str, *rest: Any) -> Any:
                code = int(status.split(maxsplit=1)[0])
                self._answered(environ["REQUEST_METHOD"], environ["PATH_INFO"], code)
                return start_response(status, *rest)

            return app(environ, record_and_start)

        return recorded

    def handled(self, path: str, payload: Any, _request: Any) -> None:
        """Handle an endpoint's payload."""
        self._write({"handled": path, "body": base64.b64encode(payload.raw).decode()})

    def _answered(self, method: str, path: str, status: int) -> None:
        self._write({"answered": path, "method": method, "status": status})

    def _write(self, entry: dict[str, Any]) -> None:
        # One append per line: threads do not come between.
        journal = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(journal, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(journal)


def _set_up() -> tuple[Settings, _Recorder]:
    settings = Settings.from_environment()
    return settings, _Recorder(settings.journal)


def _both_endpoints(
    settings: Settings, recorder: _Recorder, *, prefixed: bool = True
) -> list[UnisightsOptions]:
    origins = {OPEN: ["*"], LISTED: [settings.listed_origin]}
    return [
        UnisightsOptions(
            path=path if prefixed else "/events",
            allow_origins=allowed,
            handler=partial(recorder.handled, path),
        )
        for path, allowed in origins.items()
    ]


def make_asgi() -> Any:
    """The endpoints as plain ASGI apps, the one around the other."""
    from unisights.asgi import unisights_asgi

    settings, recorder = _set_up()
    app = None
    for options in _both_endpoints(settings, recorder):
        app = unisights_asgi(options, app)
    return recorder.asgi(app)


def make_starlette() -> Any:
    """The endpoints mounted in Starlette."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from unisights.asgi import unisights_asgi

    settings, recorder = _set_up()
    unprefixed = _both_endpoints(settings, recorder, prefixed=False)
    mounts = [
        Mount(path.removesuffix("/events"), app=unisights_asgi(options))
        for path, options in zip((OPEN, LISTED), unprefixed, strict=True)
    ]
    return recorder.asgi(Starlette(routes=mounts))


def make_fastapi() -> Any:
    """The endpoints as FastAPI routers."""
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    from unisights.fastapi import unisights_fastapi

    settings, recorder = _set_up()
    app = FastAPI()
    if settings.cors is not None:
        app.add_middleware(CORSMiddleware, **settings.cors)
    for options in _both_endpoints(settings, recorder):
        app.include_router(unisights_fastapi(options))
    return recorder.asgi(app)


def make_fastapi_inside() -> Any:
    """The endpoints as middleware with a FastAPI app inside, its CORS middleware too."""
    from fastapi import FastAPI
    from fastapi.middleware.cors import CORSMiddleware

    from unisights.asgi import UnisightsASGI

    settings, recorder = _set_up()
    app = FastAPI()
    app.add_middleware(CORSMiddleware, **(settings.cors or {}))
    for options in _both_endpoints(settings, recorder):
        app.add_middleware(UnisightsASGI, options=options)
    return recorder.asgi(app)


def make_flask() -> Any:
    """The endpoints as Flask blueprints."""
    from flask import Flask

    from unisights.flask import unisights_flask

    settings, recorder = _set_up()
    app = Flask("pages")
    if settings.cors is not None:
        from flask_cors import CORS

        CORS(app, **settings.cors)
    for options in _both_endpoints(settings, recorder):
        app.register_blueprint(unisights_flask(options))
    return recorder.wsgi(app)


def make_django() -> Any:
    """The endpoints as sync views of a Django project, served by WSGI."""
    settings, recorder = _set_up()
    _configure_django(settings)
    from django.core.wsgi import get_wsgi_application

    from unisights.django import unisights_django

    return recorder.wsgi(_django(settings, recorder, unisights_django, get_wsgi_application))


def make_django_async() -> Any:
    """The endpoints as async views of a Django project, served by ASGI."""
    settings, recorder = _set_up()
    _configure_django(settings)
    from django.core.asgi import get_asgi_application

    from unisights.django import unisights_django_async

    return recorder.asgi(_django(settings, recorder, unisights_django_async, get_asgi_application))


def _configure_django(settings: Settings) -> None:
    from django.conf import settings as django_settings

    runs_cors = settings.cors is not None
    django_settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="not secret",
        ROOT_URLCONF=ModuleType("urls"),
        INSTALLED_APPS=["corsheaders"] if runs_cors else [],
        MIDDLEWARE=[
            *(["corsheaders.middleware.CorsMiddleware"] if runs_cors else []),
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        **(settings.cors or {}),
    )


def _django(
    settings: Settings,
    recorder: _Recorder,
    make_view: Callable[[UnisightsOptions], Any],
    make_app: Callable[[], Any],
) -> Any:
    from django.conf import settings as django_settings
    from django.urls import path

    django_settings.ROOT_URLCONF.urlpatterns = [
        path(options.path.lstrip("/"), make_view(options))
        for options in _both_endpoints(settings, recorder)
    ]
    return make_app()
