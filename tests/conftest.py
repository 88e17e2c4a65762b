"""What all tests share: the npm face of the schema, and the rule that CI skips nothing."""

import shutil
from pathlib import Path

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


@pytest.fixture(scope="session")
def npm_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with what its lock file names; for all tests, so not to be changed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the npm face of the schema is not tested")
    folder = copy_to(tmp_path_factory.mktemp("npm") / "schema")
    finished = run(folder, "npm", "ci")
    assert finished.returncode == 0, finished.stderr
    return folder
