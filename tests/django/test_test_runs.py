"""A team's own tests: `manage.py test` and pytest-django, on SQLite in memory and on PostgreSQL.

The tests themselves are the project's, in `project/shop/tests.py`.
"""

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("django")

from tests.django.conftest import PROJECT, environment, execute, manage
from tests.processes import PYTHON
from tests.sinks.services import Service

NUMBER = 15
"""So many tests the project has."""


def _check(finished: subprocess.CompletedProcess[str], directory: Path) -> None:
    """All tests have passed, nothing was said at the end, and nothing is left behind."""
    output = finished.stdout + finished.stderr
    assert finished.returncode == 0, output
    assert "Warning" not in output, output
    assert list(directory.iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The directory for temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("arguments", [[], ["--parallel", "2"]], ids=["serial", "parallel"])
def test_manage_py_test_in_memory(temporary: Path, tmp_path: Path, arguments: list[str]) -> None:
    """With SQLite in memory, in one process and in forked ones."""
    spools = tmp_path / "spools"
    spools.mkdir()
    finished = manage("test", "shop", *arguments, TMPDIR=str(temporary), SHOP_SPOOLS=str(spools))
    assert f"Ran {NUMBER} tests" in finished.stderr
    _check(finished, temporary)
    # What a server has stored and what a test has stored never meet.
    assert list(spools.iterdir()) == []


def test_manage_py_test_on_postgres(
    temporary: Path, tmp_path: Path, django_postgres: Service
) -> None:
    """With PostgreSQL, whose test database can be dropped: nobody else uses it.

    Nothing that the tests have left is written into the database that is no test's.
    """
    execute(django_postgres, "DELETE FROM shop_visit")
    finished = manage(
        "test",
        "--noinput",
        "shop",
        TMPDIR=str(temporary),
        SHOP_SPOOLS=str(tmp_path),
        SHOP_POSTGRES=str(django_postgres.port),
    )
    assert f"Ran {NUMBER} tests" in finished.stderr
    _check(finished, temporary)
    assert execute(django_postgres, "SELECT * FROM shop_visit") == 0


def test_pytest_django(temporary: Path, tmp_path: Path) -> None:
    """With pytest-django, which sets up the environment after it has imported the views."""
    pytest.importorskip("pytest_django")
    options = ["-c", "/dev/null", "--rootdir", str(PROJECT), "-p", "no:cacheprovider"]
    options += ["-p", "pytest_django.plugin", str(PROJECT / "shop" / "tests.py")]
    finished = subprocess.run(
        [PYTHON, "-W", "error::ResourceWarning", "-m", "pytest", "-q", *options],
        env=environment(
            TMPDIR=str(temporary),
            SHOP_SPOOLS=str(tmp_path),
            PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        ),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert f"{NUMBER} passed" in finished.stdout, finished.stdout + finished.stderr
    _check(finished, temporary)
