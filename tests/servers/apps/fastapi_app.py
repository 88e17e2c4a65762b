"""FastAPI."""

from fastapi import FastAPI

from tests.servers.apps.settings import make_options
from unisights.fastapi import unisights_fastapi

app = FastAPI()
app.include_router(unisights_fastapi(make_options()))
