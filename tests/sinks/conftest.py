"""The sinks' destinations as fixtures: servers for the whole run, a fresh place for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks import services
from tests.sinks.places import (
    Place,
    jsonl_place,
    kafka_place,
    postgres_place,
    redis_place,
    sqlite_place,
)
from tests.sinks.services import Service


@pytest.fixture(scope="session")
def postgres() -> Iterator[Service]:
    """A PostgreSQL of the tests' own."""
    with services.postgres() as service:
        yield service


@pytest.fixture(scope="session")
def redis() -> Iterator[Service]:
    """A Redis of the tests' own."""
    with services.redis() as service:
        yield service


@pytest.fixture(scope="session")
def kafka() -> Iterator[Service]:
    """A Kafka broker of the tests' own."""
    with services.kafka() as service:
        yield service


@pytest.fixture
def postgres_at(postgres: Service) -> Place:
    """A fresh schema."""
    return postgres_place(postgres.port)


@pytest.fixture
def redis_at(redis: Service) -> Place:
    """A fresh stream."""
    return redis_place(redis.port)


@pytest.fixture
def kafka_at(kafka: Service) -> Place:
    """A fresh topic."""
    return kafka_place(kafka.port)


@pytest.fixture
def jsonl_at(tmp_path: Path) -> Place:
    """A fresh file of lines."""
    return jsonl_place(tmp_path)


@pytest.fixture
def sqlite_at(tmp_path: Path) -> Place:
    """A fresh SQLite file."""
    return sqlite_place(tmp_path)


@pytest.fixture(params=["sqlite", "jsonl", "postgres", "redis", "kafka"])
def place(request: pytest.FixtureRequest) -> Place:
    """A fresh place, of each kind in turn."""
    found: Place = request.getfixturevalue(f"{request.param}_at")
    return found
