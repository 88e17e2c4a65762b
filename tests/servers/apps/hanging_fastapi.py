"""FastAPI, with endpoints that hang."""

from fastapi import FastAPI

from tests.servers.apps.hanging import PATHS, make_options
from unisights.fastapi import unisights_fastapi

app = FastAPI()
for path in PATHS:
    app.include_router(unisights_fastapi(make_options(path)))
