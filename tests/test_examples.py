"""The examples: each is started as its docstring says, and receives a payload."""

import http.client
import json
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, post, process, wait_for
from tests.support import ROOT, click, make_body

EXAMPLES = ROOT / "examples"
SCRIPTS = Path(sys.executable).parent

COMMANDS = [
    ("fastapi_example", "uvicorn fastapi_example:app", "/api/events", "/counts"),
    ("flask_example", "gunicorn flask_example:app -w 1 --threads 4", "/api/events", "/counts"),
    ("django_example", "gunicorn django_example:application -w 1", "/api/events/", "/counts/"),
    (
        "django_example",
        "uvicorn django_example:asgi_application",
        "/api/async-events/",
        "/counts/",
    ),
    ("asgi_example", "uvicorn asgi_example:app", "/api/events", "/counts"),
]


def _on_port(command: str, port: int) -> Sequence[str]:
    program, *arguments = command.split()
    address = {
        "uvicorn": ["--port", str(port)],
        "gunicorn": ["--bind", f"127.0.0.1:{port}"],
    }
    return [str(SCRIPTS / program), *arguments, *address[program]]


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _is_up(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(("module", "command", "path", "counts"), COMMANDS, ids=str)
def test_an_example_runs(module: str, command: str, path: str, counts: str) -> None:
    """The command in the example's docstring starts it, and it counts the posted events."""
    docstring = (EXAMPLES / f"{module}.py").read_text(encoding="utf-8").split('"""')[1]
    assert command in docstring
    program = command.split(maxsplit=1)[0]
    if not (SCRIPTS / program).exists():
        pytest.skip(f"{program} is not installed")
    port = free_port()
    with process(_on_port(command, port), cwd=EXAMPLES):
        wait_for(lambda: _is_up(port), "the start of the server")
        body = make_body(events=[click(), click()])
        assert post(port, body, path)[0] in {200, 202}
        wait_for(lambda: _get(port, counts) == {"click": 2}, "the counting")


def test_every_example_is_run() -> None:
    """No example goes untested."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {module for module, *_ in COMMANDS}


def test_the_dockerfile_fits_the_repository() -> None:
    """What the image copies, installs and starts exists. The image itself is not built."""
    text = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
    (extras,) = re.findall(r'"\.\[(.+)\]"', text)
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", declared, re.MULTILINE), extra
    (command,) = re.findall(r"^CMD (\[.+\])$", text, re.MULTILINE)
    program, app, *_ = json.loads(command)
    assert (program, app) == ("uvicorn", "fastapi_example:app")
