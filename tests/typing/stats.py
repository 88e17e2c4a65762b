"""What type checkers must see of the counters: never run, only checked."""

# pyright: strict

from unisights import Stats
from unisights.asgi import unisights_asgi
from unisights.django import unisights_django, unisights_django_async
from unisights.fastapi import unisights_fastapi
from unisights.flask import unisights_flask

every_kind: list[Stats] = [
    unisights_asgi().collector.stats(),
    unisights_fastapi().collector.stats(),
    unisights_flask().collector.stats(),
    unisights_django().collector.stats(),
    unisights_django_async().collector.stats(),
]
for stats in every_kind:
    count: int = stats.accepted + stats.refused["too_large"]
    stats.refused["too large"]  # WRONG
    stats.accepted = count  # WRONG
