"""What the tests of the Django project share: how to run it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PYTHON
from tests.sinks.services import Service
from tests.sinks.services import postgres as start_postgres
from tests.support import ROOT

PROJECT = Path(__file__).parent / "project"


def environment(**more: str) -> dict[str, str]:
    """The environment in which the project runs."""
    paths = [str(PROJECT), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        **more,
    }


def manage(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the project; return what it printed."""
    return subprocess.run(
        [PYTHON, "-W", "error::ResourceWarning", str(PROJECT / "manage.py"), *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="session")
def django_postgres() -> Iterator[Service]:
    """A PostgreSQL that the tests may restart, with the project's tables."""
    pytest.importorskip("psycopg")
    with start_postgres() as service:
        made = manage("migrate", "--run-syncdb", SHOP_POSTGRES=str(service.port))
        assert made.returncode == 0, made.stderr
        yield service


def execute(service: Service, statement: str) -> int:
    """Execute a statement; return the number of rows."""
    import psycopg

    address = f"host=127.0.0.1 port={service.port} user=postgres dbname=postgres"
    with psycopg.connect(address) as connection:
        return connection.execute(statement).rowcount
