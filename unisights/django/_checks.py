"""System checks: what would lose events, or show them to others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004  # Django's name
from django.urls import Resolver404, resolve

from unisights._spool.files import check_spool
from unisights.config import UnisightsOptions
from unisights.delivery import Durable
from unisights.django._settings import read_options, read_setting
from unisights.django._urls import Registered, find_endpoints
from unisights.django._views import endpoint_of
from unisights.errors import ConfigurationError, StoreError

_REFUSES = "Until that is mended, the endpoint refuses all payloads."

_DEFAULT_PATH = UnisightsOptions().path


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the setting `UNISIGHTS`."""
    try:
        options = read_options()
    except ConfigurationError as error:
        return [Error(str(error), hint=_REFUSES, id="unisights.E001")]
    if not read_setting():
        return []
    if isinstance(options.delivery, Durable):
        try:
            check_spool(Path(options.delivery.spool))
        except StoreError as error:
            return [Error(f"UNISIGHTS: {error}", hint=_REFUSES, id="unisights.E003")]
    return [*_check_use(options), *_check_options(options, "UNISIGHTS")]


def check_endpoints(**_: Any) -> list[CheckMessage]:
    """Check the endpoints of the URLconf."""
    registered = _endpoints()
    messages = [message for found in registered for message in _check_slash(found)]
    for found in _without_repetition(registered):
        options = found.endpoint.collector.options
        if options != _options_of_settings():  # They are checked already.
            messages += _check_options(options, _where(found))
    return [*messages, *_check_databases(registered)]


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Check what is right during development, but not in production."""
    found = _without_repetition(_endpoints())
    return [message for one in found for message in _check_deployed(one)]


def _endpoints() -> list[Registered]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    # An endpoint whose options are wrong is closed; another check reports them.
    return [found for found in find_endpoints() if not found.endpoint.delivery.is_closed]


def _without_repetition(registered: list[Registered]) -> list[Registered]:
    """Leave out the other slash form of each endpoint."""
    return list({id(found.endpoint): found for found in reversed(registered)}.values())[::-1]


def _options_of_settings() -> UnisightsOptions | None:
    try:
        return read_options() if read_setting() else None
    except ConfigurationError:
        return None


def _where(registered: Registered) -> str:
    return f"The endpoint {registered.path or 'in the URLconf'}"


def _check_use(options: UnisightsOptions) -> Iterator[CheckMessage]:
    if all(found.endpoint.collector.options != options for found in _endpoints()):
        yield Warning(
            "UNISIGHTS is set, but the URLconf has no endpoint with these options.",
            hint='Add urlpatterns += unisights_urls("api/events"), from unisights.django.',
            id="unisights.W001",
        )


def _check_slash(registered: Registered) -> Iterator[CheckMessage]:
    path = registered.path
    if path is None:
        return
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    if other and not _is_endpoint(other):
        yield Warning(
            f"The endpoint {path} is not served as {other}. A beacon that is sent there is lost, "
            "as browsers do not follow a redirect for it.",
            hint=f'Use urlpatterns += unisights_urls("{path.strip("/")}", view).',
            id="unisights.W002",
        )


def _is_endpoint(path: str) -> bool:
    try:
        return endpoint_of(resolve(path).func) is not None
    except Resolver404:
        return False


def _check_options(options: UnisightsOptions, where: str) -> Iterator[CheckMessage]:
    if options.path != _DEFAULT_PATH:
        yield Warning(
            f"{where} has the option path={options.path!r}, which Django does not use.",
            hint="Leave it out: the URLconf gives the endpoint its path.",
            id="unisights.W003",
        )
    if options.handler is None:
        yield Warning(
            f"{where} has no handler: events are validated, acknowledged and stored nowhere.",
            hint='Set handler, such as "handler": "shop.events.store".',
            id="unisights.W004",
        )
    if isinstance(options.delivery, Durable):
        yield from _check_spool(Path(options.delivery.spool), where)


def _check_spool(spool: Path, where: str) -> Iterator[CheckMessage]:
    if not spool.is_absolute():
        yield Warning(
            f"{where} has the spool {spool}, whose place depends on the directory in which a "
            "process starts: servers and commands may use different files.",
            hint=f'Write BASE_DIR / "{spool}".',
            id="unisights.W005",
        )
    for name in ("MEDIA_ROOT", "STATIC_ROOT"):
        root = getattr(settings, name, None)
        if root and spool.resolve().is_relative_to(Path(root).resolve()):
            yield Error(
                f"{where} has the spool {spool}, which is in {name}: its payloads may be "
                "downloaded by anyone.",
                hint="Move it to a directory that is not served.",
                id="unisights.E002",
            )


def _check_databases(registered: list[Registered]) -> Iterator[CheckMessage]:
    deliveries = [found.endpoint.collector.options.delivery for found in registered]
    if all(isinstance(delivery, Durable) for delivery in deliveries):
        return  # Failed attempts are repeated, or there is no endpoint at all.
    for alias, database in settings.DATABASES.items():
        keeps = database.get("CONN_MAX_AGE", 0) != 0
        if keeps and not database.get("CONN_HEALTH_CHECKS", False):
            yield Warning(
                f"The database {alias!r} keeps connections open without checking them: after its "
                "restart, handlers that use it fail once for each, which loses events.",
                hint='Set "CONN_HEALTH_CHECKS": True beside CONN_MAX_AGE, or use Durable delivery.',
                id="unisights.W006",
            )


def _check_deployed(registered: Registered) -> Iterator[CheckMessage]:
    options, where = registered.endpoint.collector.options, _where(registered)
    if options.debug:
        yield Warning(
            f"{where} has debug=True: what payloads hold is logged, and responses say why a "
            "handler failed.",
            hint="Set it to False in production.",
            id="unisights.W007",
        )
    if "*" in options.allow_origins:
        yield Info(
            f"{where} accepts events from the pages of every origin.",
            hint='Name yours: "allow_origins": ["https://shop.example"].',
            id="unisights.I001",
        )
