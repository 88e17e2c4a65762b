"""Finds the durable endpoints of an app that is named on the command line."""

import importlib
import inspect
import os
import sys
import traceback
from typing import Any

from unisights.config import UnisightsOptions
from unisights.control import EndpointControl, endpoints
from unisights.errors import UnisightsError

FORMS = "MODULE:NAME or MODULE:FACTORY()"


class AppError(UnisightsError):
    """The app cannot be loaded, or has no durable endpoint; the message says why."""


def find_durable_endpoints(target: str) -> tuple[list[EndpointControl], object]:
    """Import an app, and find its endpoints with durable delivery.

    Args:
        target: names, in one of `FORMS`, an app, an object with the handle of one endpoint (a
            router, a blueprint, a view, an ASGI app), or options.

    Returns:
        The endpoints, and what has to be kept as long as they are used.

    Raises:
        AppError: there is no such thing, or no durable endpoint in it.
        ConfigurationError: the options cannot work.
    """
    app = _load(target)
    if isinstance(app, UnisightsOptions):
        from unisights.asgi import unisights_asgi  # noqa: PLC0415  # not every app is one of ASGI

        app = unisights_asgi(app)
    own = getattr(app, "unisights", None)
    kept: list[object] = [app]
    if isinstance(own, EndpointControl):
        found = [own]
    else:
        kept.append(_make_endpoints(app))
        found = list(endpoints)
    durable = sorted(
        (endpoint for endpoint in found if endpoint.spool is not None),
        key=lambda endpoint: str(endpoint.spool),
    )
    if not durable:
        _check_django_settings()
        raise AppError(_explain(target, app, len(found)))
    return durable, kept


def _load(target: str) -> Any:
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise AppError(f"APP must be {FORMS}, such as main:app, not {target!r}")
    if "" not in sys.path and (directory := os.getcwd()) not in sys.path:  # noqa: PTH109
        sys.path.insert(0, directory)
    _check_module_name(target, module_name, path)
    found = _import(module_name)
    names, call, _ = path.partition("()")
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise AppError(f"{target}: there is no {name!r} in {module_name}") from None
    return _call_factory(target, found) if call else found


def _check_module_name(target: str, module_name: str, path: str) -> None:
    without = module_name.removesuffix(".py")
    if all(name.isidentifier() for name in module_name.split(".")) and without == module_name:
        return
    name = without.strip("./").replace("/", ".")
    raise AppError(
        f"{target}: {module_name!r} is not the name of a module: write {name}:{path}, and run this "
        "in the directory from which it is imported, or set PYTHONPATH"
    )


def _call_factory(target: str, factory: Any) -> Any:
    if not callable(factory):
        raise AppError(f"{target}: it cannot be called, it is a {type(factory).__name__}")
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise AppError(
            f"{target}: it cannot be called without arguments ({error}); if it is the app itself, "
            f"write {target.removesuffix('()')}"
        ) from None
    except ValueError:
        pass  # It tells no signature, as some that are written in C.
    try:
        made = factory()
    except UnisightsError:
        raise
    except (Exception, SystemExit) as error:
        raise AppError(f"{target}: calling it has raised {_tell(error)}") from error
    if inspect.isawaitable(made):
        if inspect.iscoroutine(made):
            made.close()
        raise AppError(f"{target}: it is async; name a function that returns the app itself")
    return made


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except UnisightsError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise AppError(f"{name} cannot be imported: {error}") from error
        raise AppError(
            f"there is no module {error.name}: run this in the directory that it is in, not in "
            f"{os.getcwd()}, or set PYTHONPATH"  # noqa: PTH109
        ) from None
    except (Exception, SystemExit) as error:
        raise AppError(f"{name} cannot be imported: it has raised {_tell(error)}") from error


def _tell(error: BaseException) -> str:
    """What was raised, and where, on one line."""
    *_, frame = traceback.extract_tb(error.__traceback__)
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{words} ({frame.filename}, line {frame.lineno})"


def _check_django_settings() -> None:
    """Raise what is wrong with the setting `UNISIGHTS`: views close their endpoints then."""
    settings: Any = sys.modules.get("unisights.django._settings")
    if settings is not None:
        settings.read_options()


def _make_endpoints(app: Any) -> object:
    """Have frameworks make now what they make at the first request, and return it."""
    django_urls: Any = sys.modules.get("django.urls")
    settings: Any = django_urls and sys.modules["django.conf"].settings
    # A process that uses nothing but Django's ORM has no URLconf.
    if django_urls is not None and settings.configured and hasattr(settings, "ROOT_URLCONF"):
        return django_urls.get_resolver().url_patterns
    # Starlette makes its middleware then.
    build = getattr(app, "build_middleware_stack", None)
    return build() if build is not None else None


def _explain(target: str, app: Any, count: int) -> str:
    if count:
        noun = "endpoint is" if count == 1 else "endpoints are"
        return (
            f"{target}: {count} {noun} there, but none with durable delivery, such as "
            'delivery=Durable("events.spool")'
        )
    if inspect.isfunction(app):
        return f"{target}: it is a function; if it makes the app, write '{target}()'"
    return (
        f"{target}: importing it makes no endpoint. It is a {type(app).__name__}: name the app, or "
        "what a function such as unisights_fastapi has returned"
    )
