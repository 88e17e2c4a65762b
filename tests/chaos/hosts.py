"""The hosts: every framework on the servers that its users choose, in every delivery."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.target import Target
from tests.servers.servers import (
    DJANGO,
    DJANGO_ASYNC,
    DJANGO_ON_ASGI,
    FASTAPI,
    FLASK,
    FLASK_RUN,
    GRANIAN,
    GTHREAD,
    GUNICORN,
    GUNICORN_UVICORN,
    HYPERCORN,
    PRELOAD,
    RUNSERVER,
    STARLETTE_MIDDLEWARE,
    UVICORN,
    UWSGI,
    WAITRESS,
    Combination,
)

DELIVERIES = ("inline", "background", "durable")

QUEUE_SIZE = 60
"""How many payloads may wait or be handled in memory, in each process."""

HOSTS = {
    str(combination): combination
    for combination in (
        Combination(UVICORN, FASTAPI),
        Combination(HYPERCORN, FASTAPI),
        Combination(GRANIAN, FASTAPI),
        Combination(GUNICORN_UVICORN, FASTAPI),
        Combination(UVICORN, STARLETTE_MIDDLEWARE),
        Combination(GUNICORN, FLASK),
        Combination(GTHREAD, FLASK),
        Combination(PRELOAD, FLASK),
        Combination(WAITRESS, FLASK),
        Combination(UWSGI, FLASK),
        Combination(FLASK_RUN, FLASK),
        Combination(GUNICORN, DJANGO),
        Combination(WAITRESS, DJANGO),
        Combination(RUNSERVER, DJANGO),
        Combination(UVICORN, DJANGO_ON_ASGI),
        Combination(UVICORN, DJANGO_ASYNC),
        Combination(HYPERCORN, DJANGO_ASYNC),
    )
}
"""By their names, such as `uvicorn-fastapi`."""

SHORT = {
    ("uvicorn-django-async", "inline"): ("client leaves",),
    ("waitress-flask", "background"): ("client leaves", "SIGTERM", "SIGKILL"),
    ("preload-flask", "durable"): ("fork", "destination down", "sibling stopped", "restart"),
}
"""What is quick, and where each event is at its worst."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "inline": {},
    "background": {"max_concurrency": 2, "queue_size": QUEUE_SIZE},
    "durable": {"max_concurrency": 2},
}
"""Such that a load is faster than the handlers."""

_RETRIES = {"attempts": 4, "pause": 0.1, "max_pause": 0.2}
"""So few attempts that an outage makes some dead letters."""


@dataclass(frozen=True)
class Host:
    """A framework on a server, in a delivery."""

    name: str
    delivery: str

    def __str__(self) -> str:
        return f"{self.name}, {self.delivery}"

    @property
    def combination(self) -> Combination:
        """The app on its server."""
        return HOSTS[self.name]

    def make_target(self, directory: Path, spool: Path) -> Target:
        """Make what is started."""
        return Target(
            str(self),
            directory,
            spool,
            delivery=self.delivery,
            options=_OPTIONS[self.delivery],
            combination=self.combination,
            retries=_RETRIES,
            counts_accepted=True,
        )
