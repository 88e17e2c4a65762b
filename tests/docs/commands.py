"""How the commands in the documents' shell blocks are checked; those of servers are run."""

import re
import shlex
import socket
import subprocess
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos import __main__ as chaos
from tests.docs.pages import Block
from tests.processes import PYTHON, post, process, read_until, wait_for
from tests.support import ROOT, make_body
from unisights._cli import main as cli
from unisights.django.management.commands import unisights_spool

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

EXTRAS: dict[str, list[str]] = PYPROJECT["project"]["optional-dependencies"]


def _make(arguments: list[str], *_: Any) -> None:
    """The target and its variables exist; the options of the command behind it too."""
    target, *variables = arguments
    assert re.search(rf"^{re.escape(target)}:.*## ", MAKEFILE, re.MULTILINE), target
    for variable in variables:
        name, _, value = variable.partition("=")
        assert re.search(rf"^{name} *\?=", MAKEFILE, re.MULTILINE), name
        assert f"$({name})" in MAKEFILE
        if target == "run":
            cli._parser().parse_args(["serve", *shlex.split(value)])
        if target == "chaos":
            chaos.make_parser().parse_args(shlex.split(value))


def _unisights(arguments: list[str], *_: Any) -> None:
    """The options are the command's."""
    cli._parser().parse_args(arguments)


def _python(arguments: list[str], *_: Any) -> None:
    """It is the project's `manage.py`, with options of the Django app's command."""
    program, name, *options = arguments
    assert (program, name) == ("manage.py", "unisights_spool")
    unisights_spool.Command().create_parser(program, name).parse_args(options)


def _pip(arguments: list[str], *_: Any) -> None:
    """It installs the checkout, with extras that exist."""
    found = re.fullmatch(r"install \.\[([a-z,]+)\]", " ".join(arguments))
    assert found is not None, "PyPI's unisights is the other package: install the checkout"
    assert set(found[1].split(",")) <= EXTRAS.keys()


def _curl(arguments: list[str], _block: Block, server: Any) -> None:
    """The request is accepted by a running server."""
    command = ["curl", "--silent", "--noproxy", "*", *arguments]
    command = [word.replace("http://127.0.0.1:8000", server.url) for word in command]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    assert "200 OK" in finished.stdout


def _sqlite3(arguments: list[str], _block: Block, server: Any) -> None:
    """The query finds something in the server's file."""
    db, sql = arguments
    assert db == server.db.name
    assert server.query(sql)


def _is_listening(port: int) -> bool:
    """Whether a port takes connections; with workers, uvicorn names it before it does."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def _serve(server: list[str], arguments: list[str], block: Block, *_: Any) -> None:
    """The server starts the app, and the endpoint takes a payload.

    The app is an example, or of the `main.py` shown before, which is put into the empty directory.
    Two workers show as much as four, and start sooner.
    """
    module = arguments[0].partition(":")[0]
    if module == "main":
        source = [b.source for b in block.before if b.source.startswith("# main.py\n")][-1]
    else:
        source = (ROOT / "examples" / f"{module}.py").read_text(encoding="utf-8")
    Path(f"{module}.py").write_text(source, encoding="utf-8")
    path = re.search(r'path="([^"]+)"|POST (/[\w/-]+)', source)
    # gunicorn puts a socket of its own into the runtime directory.
    environment = {"XDG_RUNTIME_DIR": str(Path.cwd())}
    few = [word.replace("4", "2") for word in arguments]
    with process([PYTHON, "-m", *server, *few], cwd=Path.cwd(), env=environment) as child:
        started = read_until(child, "http://127.0.0.1:")
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", started)[-1])
        wanted = path[1] or path[2] if path else "/events"
        wait_for(lambda: _is_listening(port), "the start of a worker")
        assert post(port, make_body(), wanted)[0] == (202 if "unisights.flask" in source else 200)


COMMANDS: dict[str, Callable[[list[str], Block, Any], None]] = {
    "make": _make,
    "unisights": _unisights,
    "python": _python,
    "pip": _pip,
    "curl": _curl,
    "sqlite3": _sqlite3,
    "uvicorn": partial(_serve, ["uvicorn", "--port", "0"]),
    "gunicorn": partial(_serve, ["gunicorn", "--bind", "127.0.0.1:0"]),
}
