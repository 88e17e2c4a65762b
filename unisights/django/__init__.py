"""Django: the endpoint as a sync or an async view. The URLconf gives it its path.

- `_views`: the views. `_callers`: how they call the user's functions, by Django's rules.
- `_bridges`: how an async function uses the database connection of the thread that waits for it.
- `_urls`: both slash forms of a path, and the endpoints that a URLconf has.
- `_settings`: the setting `UNISIGHTS`.
- `apps`, `_checks`, `management`: the Django app, which is optional: system checks, and a command
  for the spool.

Nothing here needs configured settings when it is imported.
"""

try:
    import django  # noqa: F401  # is it there?
except ImportError as error:
    raise ImportError("unisights.django needs Django: pip install 'unisights[django]'") from error

from unisights.django._urls import unisights_urls
from unisights.django._views import UnisightsView, unisights_django, unisights_django_async

__all__ = ["UnisightsView", "unisights_django", "unisights_django_async", "unisights_urls"]
