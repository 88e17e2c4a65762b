"""What the checks in the documents use: every name of this module is a name there."""

import asyncio
import contextlib
import json
import re
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock
from urllib.parse import urlsplit

from django import urls
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.views.decorators.csrf import csrf_exempt
from flask import Flask

from tests.adapters.apps import set_up_django
from tests.adapters.drivers import Answer, Call, call_asgi, call_wsgi
from tests.docs.tables import first_spans
from tests.processes import wait_for
from tests.spools import close_spool, query
from tests.support import ROOT, SESSION_ID, click, make_body
from unisights import UnisightsPayload, validate_unisights_payload
from unisights.asgi import unisights_asgi

ORIGIN = "https://shop.example"


def run(source: str, path: str = "snippet", **names: Any) -> dict[str, Any]:
    """Run a snippet as a module of its own; return its names."""
    set_up_django()
    module = {"__name__": "snippet", **names}
    exec(compile(source, path, "exec"), module)  # noqa: S102  # our own documents
    return module


def call(app: Any, request: Call) -> Answer:
    """Make a request of an ASGI or WSGI app, in process."""
    return (call_wsgi if isinstance(app, Flask | WSGIHandler) else call_asgi)(app, request)


def post(app: Any, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Post JSON, by default a valid payload."""
    sent = {"Content-Type": "application/json", **headers}
    return call(app, Call(path=path, headers=sent, chunks=(body or make_body(),)))


def get(app: Any, path: str) -> Answer:
    """Get something."""
    return call(app, Call(method="GET", path=path))


@contextlib.contextmanager
def django_serving(urlpatterns: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Django's own WSGI and ASGI apps, with an URLconf."""
    set_up_django()
    with override_settings(ROOT_URLCONF=tuple(urlpatterns)):
        yield WSGIHandler(), ASGIHandler()


def example_payload() -> UnisightsPayload:
    """The payload that the documents show."""
    page = (ROOT / "docs" / "payload.md").read_text(encoding="utf-8")
    return validate_unisights_payload(
        json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    )


def assert_like(printed: str, shown: str) -> None:
    """Compare what was printed with what is shown, where `…` stands for anything."""
    assert re.fullmatch(re.escape(shown.strip()).replace("…", ".+"), printed.strip())


def _stand_in() -> Any:
    client = MagicMock(close=AsyncMock())
    client.get_default_database.return_value.sessions.insert_one = AsyncMock()
    return SimpleNamespace(AsyncMongoClient=MagicMock(return_value=client))


pymongo = _stand_in()
"""In the place of the package, which is not installed."""
