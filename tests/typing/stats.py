"""What type checkers must see of the handle: never run, only checked."""

# pyright: strict

from typing import assert_type

from unisights import EndpointControl, Readiness, Stats
from unisights.asgi import unisights_asgi
from unisights.django import unisights_django, unisights_django_async
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask

every_kind: list[Stats] = [
    unisights_asgi().unisights.stats(),
    unisights_fastapi().unisights.stats(),
    unisights_flask().unisights.stats(),
    unisights_django().unisights.stats(),
    unisights_django_async().unisights.stats(),
]
for stats in every_kind:
    count: int = stats.accepted + stats.refused["too_large"]
    stats.refused["too large"]  # WRONG
    stats.accepted = count  # WRONG


async def use(control: EndpointControl) -> None:
    """The methods, from sync and from async code."""
    assert_type(unisights_flask().unisights, EndpointControl)
    assert_type(control.drain(1), bool)
    assert_type(await control.adrain(0.5), bool)
    assert_type(control.readiness(), Readiness)
    ready: bool = control.readiness().ready
    reasons: tuple[str, ...] = control.readiness().reasons
    control.close()
    await control.aclose()
    control.drain()  # WRONG
    control.readiness().ready = ready  # WRONG
    assert reasons != ("shut",)
    unisights_asgi().collector  # WRONG
