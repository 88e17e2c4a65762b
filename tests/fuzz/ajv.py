"""ajv as a judge: one Node process, fed bodies over a pipe."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Ajv:
    """The judge of the npm face of the schema.

    Args:
        package: the folder of the npm face, with its `node_modules`.
    """

    def __init__(self, package: Path) -> None:
        self._command = ["node", str(package / "test" / "judge-server.mjs")]

    @staticmethod
    def is_installed(package: Path) -> bool:
        """Whether there is a Node, and ajv for it."""
        return bool(shutil.which("node")) and (package / "node_modules" / "ajv").is_dir()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def ask(self, bodies: Sequence[bytes]) -> None:
        """Send bodies to be validated; only once what was asked before has been answered."""
        assert self._process.stdin
        chunk = json.dumps([base64.b64encode(body).decode() for body in bodies])
        self._process.stdin.write(f"{chunk}\n")
        self._process.stdin.flush()

    def answers(self) -> list[Any]:
        """What ajv says of the bodies that it was asked about; waits for it."""
        assert self._process.stdout
        answers: list[Any] = json.loads(self._process.stdout.readline())
        return answers
