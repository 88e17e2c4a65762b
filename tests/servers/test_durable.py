"""Durable delivery on real servers: ends that are asked for, and ends that are not."""

from pathlib import Path

import pytest

from tests.chaos.load import Load
from tests.chaos.target import target
from tests.processes import wait_for
from tests.spools import query


def _label_counts(path: Path) -> int:
    return query(path, "SELECT count(*) FROM waiting")[0][0]  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_sigterm_leaves_the_rest_in_the_spool(name: str, tmp_path: Path) -> None:
    """What drain_timeout does not allow for stays there, not with on_error, and is resumed."""
    options = {"drain_timeout": 0.3, "max_concurrency": 1}
    with target(name, tmp_path, options=options) as server:
        server.set_mood(delay=0.2)
        with Load(server.port) as load:
            load.wait_until_served()
        server.terminate()
        left = _label_counts(server.spool)
        assert left > 0
        assert query(server.spool, "SELECT count(*) FROM waiting WHERE owner != 0") == [(0,)]
        assert not list(tmp_path.glob("*-owner-*"))
        server.set_mood()
        server.start()
        wait_for(
            lambda: server.handled().keys() >= load.sent.acknowledged.keys(), "the delivery of all"
        )
        assert not (tmp_path / "errors").exists()


@pytest.mark.parametrize("name", ["fastapi", "django"])
def test_a_killed_workers_payloads_are_taken_over(name: str, tmp_path: Path) -> None:
    """SIGKILL of a worker that holds payloads: others deliver them, with no restart by anyone."""
    with target(name, tmp_path, options={"max_concurrency": 1}) as server:
        server.set_mood(delay=0.3)
        with Load(server.port) as load:
            load.wait_until_served()
            server.kill_worker()
            load.wait_until_served()
        server.set_mood()
        wait_for(
            lambda: server.handled().keys() >= load.sent.acknowledged.keys(), "the delivery of all"
        )
        handled = server.handled()
        for label, content_id in load.sent.acknowledged.items():
            assert set(handled[label]) == {content_id}
