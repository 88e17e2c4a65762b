"""Servers that load the app before they fork, and an app that has used its spool by then."""

from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.servers.servers import (
    PRELOAD,
    UWSGI,
    App,
    Combination,
    Server,
    Settings,
    running,
    with_arguments,
)
from tests.spools import query

WARM = App("warm-flask", "warm_flask_app", "flask", is_async=False)

UWSGI_HOOKED = with_arguments(UWSGI, "--py-call-uwsgi-fork-hooks")
"""It loads the app before it forks unless it is told `--lazy-apps`."""


def _settings(directory: Path) -> Settings:
    return Settings(
        options={"delivery": "durable", "spool": str(directory / "spool.sqlite3")}, handler="sync"
    )


@pytest.mark.parametrize("server", [PRELOAD, UWSGI_HOOKED], ids=lambda server: str(server.name))
def test_workers_of_a_server_that_has_used_its_spool(server: Server, tmp_path: Path) -> None:
    """They store and deliver what they acknowledge, and nothing is lost when the server ends."""
    with running(Combination(server, WARM), tmp_path, _settings(tmp_path)) as started:
        labels = [f"label-{number}" for number in range(20)]
        assert {started.post(label).status for label in labels} == {202}
        started.send_signal()
        started.wait_for_end()
        assert query(tmp_path / "spool.sqlite3", "SELECT stored FROM state") == [(21,)]
        ((waiting,),) = query(tmp_path / "spool.sqlite3", "SELECT count(*) FROM waiting")
        assert isinstance(waiting, int)
        assert waiting + len(started.labels("handled")) >= 21


def test_a_server_that_forks_without_hooks(tmp_path: Path) -> None:
    """Its first process does not open the spool, and the log says why; its workers can use it."""
    with running(Combination(UWSGI, WARM), tmp_path, _settings(tmp_path)) as started:
        assert "py-call-uwsgi-fork-hooks" in started.output()
        assert {started.post(f"label-{number}").status for number in range(20)} == {202}
        wait_for(lambda: len(started.labels("handled")) == 20, "the delivery of all")
        assert query(tmp_path / "spool.sqlite3", "SELECT stored FROM state") == [(20,)]
