"""The apps that are put under load, each on its server."""

from dataclasses import dataclass

_UVICORN = "uvicorn --port 0 --loop uvloop --http httptools --no-access-log"
_GUNICORN = "gunicorn --bind 127.0.0.1:0 -k gthread --threads 4"


@dataclass(frozen=True)
class App:
    """One endpoint of an app, and the server that it runs on.

    Attributes:
        name: the contestant's name.
        target: its module in `benchmarks.apps`, and in it the app or a function that makes it.
        path: where the endpoint is.
        status: what it responds if all is well.
        is_async: whether it is an ASGI app, for uvicorn; else it is a WSGI app, for gunicorn.
    """

    name: str
    target: str
    path: str = "/events"
    status: int = 200
    is_async: bool = True

    @property
    def command(self) -> list[str]:
        """The server's command line behind `python -m`."""
        target, is_factory = f"benchmarks.apps.{self.target}", ":make_" in self.target
        if self.is_async:
            return [*_UVICORN.split(), *(["--factory"] if is_factory else []), target]
        return [*_GUNICORN.split(), f"{target}()" if is_factory else target]


GROUPS = {
    "ASGI": (
        App("bare ASGI + orjson.loads", "asgi_app:parse", "/"),
        App("bare ASGI, body read", "asgi_app:read", "/"),
        App("unisights_asgi", "asgi_app:endpoint"),
        App("FastAPI, body read", "fastapi_app:reading"),
        App("FastAPI, pydantic parameter", "fastapi_app:validating"),
        App("unisights_fastapi", "fastapi_app:receiving"),
    ),
    "Flask": (
        App("Flask, body read", "flask_app:app", "/read", is_async=False),
        App("unisights_flask, inline", "flask_app:app", is_async=False),
        App("unisights_flask, background", "flask_app:background", status=202, is_async=False),
    ),
    "Django": (
        App("Django, body read", "django_app:make_wsgi", "/read", is_async=False),
        App("unisights_django", "django_app:make_wsgi", is_async=False),
    ),
    "Django async": (
        App("Django async, body read", "django_app:make_asgi", "/async/read"),
        App("unisights_django_async", "django_app:make_asgi", "/async/events"),
    ),
}
"""Which apps are compared; the first one is the reference."""

DELIVERIES = (
    App("inline", "durable_app:make_inline"),
    App("durable, process", "durable_app:make_process", status=202),
    App("durable, power", "durable_app:make_power", status=202),
)

ADAPTERS = tuple(
    app for group in GROUPS.values() for app in group if app.name.startswith("unisights_")
)
