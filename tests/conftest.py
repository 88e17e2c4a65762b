"""What all tests share: the npm face, the processes that they run in, and that CI skips nothing."""

import gc
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.npm import copy_to, run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fail-on-skip`."""
    parser.addoption(
        "--fail-on-skip", action="store_true", help="fail the run if any test was skipped"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped something, if asked to."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if session.config.getoption("--fail-on-skip") and skipped and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why such a run failed."""
    skipped = terminalreporter.stats.get("skipped", [])
    if terminalreporter.config.getoption("--fail-on-skip") and skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped: --fail-on-skip", red=True)


SHARED = (
    "django_postgres",
    "postgres",
    "redis",
    "kafka",
    "npm_face",
    "browser",
    "server",
    "bomb",
    "answers",
    "found",
    "changed_tree",
    "repository",
)
"""Fixtures that take long to set up: the tests that use one run in one process."""


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups when its own turn comes
def pytest_collection_modifyitems(items: Iterable[pytest.Function]) -> None:
    """Put the tests that share a costly fixture into one group of pytest-xdist."""
    for item in items:
        if (group := _group_of(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Make sure that pytest-xdist has taken the groups, and have done with what was collected.

    A group is part of an item's id. Where another version of pytest or of pytest-xdist leaves it
    out, all tests pass, but each process sets up every fixture: that takes twice as long.
    """
    if session.config.getoption("loadgroup", default=False):  # set in the processes of pytest-xdist
        for item in session.items:
            group = item.get_closest_marker("xdist_group")
            if group and not item.nodeid.endswith(f"@{group.args[0]}"):
                raise RuntimeError(
                    "pytest-xdist does not see the groups of tests: see pytest in pyproject.toml"
                )
    # Else the garbage collector would look through it again and again.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates, which tests log and pytest-xdist cannot send."""
    return _without_surrogates((yield))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _without_surrogates(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _group_of(item: pytest.Function) -> str | None:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    used = {*item.fixturenames, *(value for value in parameters.values() if isinstance(value, str))}
    for name in SHARED:
        if name in used or f"{name}_at" in used:
            # Of a server with parameters, there is one for each of them.
            parameter = parameters.get(name, "")
            return f"{name} {getattr(parameter, 'name', parameter)}".strip()
    return None


@pytest.fixture(scope="session")
def npm_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with what its lock file names; for all tests, so not to be changed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the npm face of the schema is not tested")
    folder = copy_to(tmp_path_factory.mktemp("npm") / "schema")
    finished = run(folder, "npm", "ci")
    assert finished.returncode == 0, finished.stderr
    return folder
