"""What Django alone has: views as Django sees them, its request, its limits, its middleware."""

import asyncio
import inspect
from typing import Any

import pytest

pytest.importorskip("django")

from tests.adapters.apps import django_app, set_up_django
from tests.adapters.drivers import Call, acall_asgi, call_asgi, call_wsgi
from tests.support import make_body
from unisights import UnisightsOptions
from unisights._http.body import StreamBody
from unisights.django import unisights_django, unisights_django_async

JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def _django() -> None:
    """Django, configured."""
    set_up_django()


def test_the_async_view_is_a_coroutine_function() -> None:
    """Django sees that the async view is one, and that both are exempt from CSRF."""
    view = unisights_django_async()
    assert inspect.iscoroutinefunction(view)
    assert view.csrf_exempt is True  # type: ignore[attr-defined]
    assert unisights_django().csrf_exempt is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_handler_gets_djangos_request(kind: str) -> None:
    """Inline, the second argument is Django's own request, and its body can be read."""
    from django.http import HttpRequest

    seen: list[Any] = []

    async def handler(payload: Any, request: Any) -> None:
        seen.append((request, request.body))

    options = UnisightsOptions(handler=handler)
    call = Call(headers=JSON, chunks=(make_body(),))
    if kind == "sync":
        answer = call_wsgi(django_app(unisights_django(options), "wsgi"), call)
    else:
        answer = call_asgi(django_app(unisights_django_async(options), "asgi"), call)
    assert answer.status == 200
    ((request, body),) = seen
    assert isinstance(request, HttpRequest)
    assert body == make_body()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_body_may_have_been_read_before(kind: str) -> None:
    """A middleware that reads the body leaves it readable for the endpoint."""
    from django.test import override_settings

    def reader(get_response: Any) -> Any:
        if inspect.iscoroutinefunction(get_response):

            async def aread(request: Any) -> Any:
                assert request.body
                return await get_response(request)

            return aread

        def read(request: Any) -> Any:
            assert request.body
            return get_response(request)

        return read

    from django.utils.decorators import sync_and_async_middleware

    globals()["reader"] = sync_and_async_middleware(reader)
    with override_settings(MIDDLEWARE=[f"{__name__}.reader"], DATA_UPLOAD_MAX_MEMORY_SIZE=10**6):
        call = Call(headers=JSON, chunks=(make_body(),))
        if kind == "sync":
            answer = call_wsgi(django_app(unisights_django(), "wsgi"), call)
        else:
            answer = call_asgi(django_app(unisights_django_async(), "asgi"), call)
    assert answer.status == 200


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_the_event_loop_runs_others_between_pieces(
    monkeypatch: pytest.MonkeyPatch, content_type: str
) -> None:
    """A large body, accepted or discarded, is read in pieces, and others run in between."""
    turns = 0
    turns_at_reads = set()
    read = StreamBody.read

    def note(body: StreamBody) -> bytes | None:
        turns_at_reads.add(turns)
        return read(body)

    monkeypatch.setattr(StreamBody, "read", note)

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def main() -> int:
        counting = asyncio.create_task(count())
        call = Call(headers={"content-type": content_type}, chunks=(body,))
        answer = await acall_asgi(app, call)
        counting.cancel()
        return answer.status

    body = make_body().ljust(8 * 1024 * 1024)
    options = UnisightsOptions(max_payload_size=len(body))
    app = django_app(unisights_django_async(options), "asgi")
    assert asyncio.run(main()) == (200 if content_type == "application/json" else 415)
    assert len(turns_at_reads) >= 100


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "settings",
    [
        {"CORS_ALLOWED_ORIGINS": ["https://page.example"]},
        {"CORS_ALLOWED_ORIGINS": ["https://page.example"], "CORS_ALLOW_CREDENTIALS": True},
        {"CORS_ALLOW_ALL_ORIGINS": True},
        {"CORS_ALLOWED_ORIGINS": ["https://other.example"]},
    ],
)
def test_there_is_one_origin_header_beside_django_cors_headers(
    settings: dict[str, Any], kind: str, method: str
) -> None:
    """An app that also runs django-cors-headers sends the header at most once."""
    pytest.importorskip("corsheaders")
    from django.test import override_settings

    headers = {**JSON, "origin": "https://page.example", "access-control-request-method": "POST"}
    call = Call(method, headers=headers, chunks=(make_body(),))
    with override_settings(MIDDLEWARE=["corsheaders.middleware.CorsMiddleware"], **settings):
        if kind == "sync":
            answer = call_wsgi(django_app(unisights_django(), "wsgi"), call)
        else:
            answer = call_asgi(django_app(unisights_django_async(), "asgi"), call)
    assert answer.status in {200, 204}
    answer.header("access-control-allow-origin")  # fails if it came twice


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_test_client_works(kind: str) -> None:
    """Django's own test clients post as users' tests would."""
    from django.test import AsyncRequestFactory, RequestFactory

    if kind == "sync":
        request = RequestFactory().post("/events", make_body(), content_type="application/json")
        answer: Any = unisights_django()(request)
    else:
        request = AsyncRequestFactory().post(
            "/events", make_body(), content_type="application/json"
        )
        answer = asyncio.run(unisights_django_async()(request))  # type: ignore[arg-type]
    assert answer.status_code == 200
