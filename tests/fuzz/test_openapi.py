"""The FastAPI app keeps to its own OpenAPI document: schemathesis sends what it says, and worse."""

import copy
import os
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.fuzz.settings import EXAMPLES
from tests.referee import BEYOND_THE_SCHEMA
from unisights import UnisightsOptions
from unisights.fastapi import unisights_fastapi


def documented(form: str | None = None) -> Any:
    """What schemathesis reads of an app's document; with one form of payload, or with all."""
    app = FastAPI()
    app.include_router(unisights_fastapi(UnisightsOptions()))
    document = copy.deepcopy(app.openapi())
    content = document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]
    if form is not None:
        content["schema"] = next(
            branch for branch in content["schema"]["oneOf"] if branch["title"] == form
        )
    app.openapi_schema = document
    return schemathesis.openapi.from_asgi("/openapi.json", app)


thorough = settings(
    max_examples=max(1, EXAMPLES // 5),
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
)
ANY = documented()
PLAIN = documented("UnisightsPayload")


@ANY.parametrize()
@thorough
def test_answers_are_as_documented(case: Any) -> None:
    """Whatever is sent, there is no 5xx, and status, type and body of the answer are documented."""
    response = case.call()
    case.validate_response(response, excluded_checks=_not_decided_by_schemas(response))


@PLAIN.parametrize()
@thorough
def test_documented_plain_payloads_are_received(case: Any) -> None:
    """A plain payload is received if the document allows it, and refused if it does not."""
    case.call_and_validate()


def _not_decided_by_schemas(response: Any) -> list[Any]:
    """Whether an encrypted payload can be decrypted, no document can say."""
    if response.status_code != 422:
        return []
    rules = {error["rule"] for error in response.json()["errors"]}
    return [positive_data_acceptance] if rules <= BEYOND_THE_SCHEMA - {"json"} else []
