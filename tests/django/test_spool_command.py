"""`manage.py unisights_spool`: the actions of `unisights spool`, on the project's own file."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("django")

from django.core.management import CommandError, call_command

from tests.django import apps
from tests.django.conftest import manage
from tests.support import SESSION_ID, make_body
from unisights import Durable, Retry, UnisightsOptions
from unisights.django import unisights_django, unisights_urls


def _call(*arguments: str) -> str:
    output = io.StringIO()
    call_command("unisights_spool", *arguments, stdout=output)
    return output.getvalue()


def _fail(payload: Any, request: Any) -> None:
    raise LookupError("gone")


def _store_dead_letter(spool: Path) -> None:
    """Post a payload whose handler fails, and wait until it is a dead letter."""
    from django.test import RequestFactory

    delivery = Durable(spool, retry=Retry(attempts=1))
    with apps.project():
        view = unisights_django(UnisightsOptions(handler=_fail, delivery=delivery))
        sent = {"data": make_body(), "content_type": "application/json"}
        assert view(RequestFactory().post("/", **sent)).status_code == 202
        assert view.unisights.drain(30)
        view.unisights.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool with a dead letter."""
    spool = tmp_path / "events.spool"
    _store_dead_letter(spool)
    return spool


def test_the_file_is_the_settings(spool: Path) -> None:
    """Every action knows it, and prints what `unisights spool` does."""
    setting = {"handler": apps.handle, "delivery": Durable(spool)}
    with apps.project(UNISIGHTS=setting):
        assert json.loads(_call("stat", "--format", "json"))["dead"] == 1
        assert "LookupError: gone" in _call("list", "--dead")
        (line,) = _call("export").splitlines()
        assert SESSION_ID in line
        with pytest.raises(CommandError, match="no dead letters"):
            _call("retry", "--id", "77")
        assert "1 dead letter will be retried" in _call("retry")
        assert json.loads(_call("stat", "--format", "json"))["waiting"] == 1
        assert "0 rejected records" in _call("replay")
        assert _call("repair")


def test_the_file_is_the_urlconfs(spool: Path, tmp_path: Path) -> None:
    """If one endpoint has one; of several, the command asks which."""

    def make(path: Path) -> Any:
        options = UnisightsOptions(handler=apps.handle, delivery=Durable(path))
        return unisights_django(options)

    one = unisights_urls("one", make(spool))
    with apps.project(one):
        assert json.loads(_call("stat", "--format", "json"))["dead"] == 1
    other = unisights_urls("two", make(tmp_path / "other.spool"))
    with apps.project([*one, *other]):
        with pytest.raises(CommandError, match=r"has 2 spools: .*events\.spool, .*other\.spool"):
            _call("stat")
        assert json.loads(_call("stat", "--format", "json", str(spool)))["dead"] == 1


def test_without_a_file_there_is_advice(spool: Path) -> None:
    """And a file that is named is used, whatever is wrong with the settings."""
    with apps.project():
        with pytest.raises(CommandError, match="name the file: the project has no spools"):
            _call("stat")
        with pytest.raises(CommandError, match="there is no such file"):
            _call("stat", str(spool.parent / "missing.spool"))
    with apps.project(UNISIGHTS={"zzz": 1}):
        with pytest.raises(CommandError, match="no key 'zzz'"):
            _call("stat")
        assert json.loads(_call("stat", "--format", "json", str(spool)))["dead"] == 1


def test_replay_knows_the_settings_secret(tmp_path: Path) -> None:
    """What was encrypted with it, and came before it was set, is delivered."""
    from django.test import RequestFactory

    from tests.support import make_data, seal

    spool = tmp_path / "events.spool"
    sealed = json.dumps(seal(json.dumps(make_data()).encode(), server_secret="s")).encode()
    delivery = Durable(spool)
    with apps.project():
        view = unisights_django(UnisightsOptions(handler=apps.handle, delivery=delivery))
        sent = {"data": sealed, "content_type": "application/json"}
        assert view(RequestFactory().post("/", **sent)).status_code == 422
        view.unisights.close()
    setting = {"handler": apps.handle, "delivery": delivery, "server_secret": "s"}
    with apps.project(UNISIGHTS=setting):
        assert "1 rejected record will be delivered" in _call("replay")


def test_manage_py_runs_it(spool: Path) -> None:
    """As at any prompt: output, errors and the exit status."""
    shown = manage("unisights_spool", "stat", "--format", "json", str(spool))
    assert json.loads(shown.stdout)["dead"] == 1
    assert shown.returncode == 0
    failed = manage("unisights_spool", "stat", str(spool.parent / "missing.spool"))
    assert failed.returncode == 1
    assert failed.stderr.startswith("CommandError: ")
    assert failed.stdout == ""
    helped = manage("unisights_spool", "retry", "--help")
    assert "only this record" in helped.stdout
