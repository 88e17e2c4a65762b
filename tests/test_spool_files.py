"""The files beside a spool: whose they are, and what others may put there or leave there."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from tests.spools import fill, query
from unisights._cli.main import main
from unisights._spool.process_locks import ProcessLocks
from unisights._spool.store import Spool

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may be made."""
    return tmp_path / "spool"


@needs_root
def test_root_gives_away_no_file_of_another(path: Path, tmp_path: Path) -> None:
    """The service's user may have put a link to any file in the place of the lock."""
    fill(path, 1)
    os.chown(path, NOBODY, NOBODY)
    lock = Path(f"{path}-lock")
    lock.unlink()
    secret = tmp_path / "secret"
    secret.touch()
    lock.symlink_to(secret)
    assert main(["spool", "stat", str(path)]) == 1
    assert main(["spool", "repair", str(path)]) == 1
    assert secret.stat().st_uid == 0
    lock.unlink()
    lock.hardlink_to(secret)
    assert main(["spool", "stat", str(path)]) == 0
    assert secret.stat().st_uid == 0


@needs_root
def test_what_root_makes_is_the_services(path: Path) -> None:
    """Else the service could not lock its spool, nor take over what root's process has left."""
    fill(path, 1)
    os.chown(path, NOBODY, NOBODY)
    Path(f"{path}-lock").unlink()
    assert main(["spool", "stat", str(path)]) == 0
    owner, lock = ProcessLocks(path).register()
    lock.close()
    for file in (Path(f"{path}-lock"), Path(f"{path}-owner-{owner}")):
        assert file.stat().st_uid == NOBODY


@needs_root
def test_a_repair_writes_through_no_link(path: Path, tmp_path: Path) -> None:
    """The new file has a name that nobody knows before, and belongs to the service."""
    fill(path, 1)
    query(path, "UPDATE state SET waiting = 5")
    os.chown(path, NOBODY, NOBODY)
    secret = tmp_path / "secret"
    secret.touch()
    for end in ("-repaired", "-repaired-lock"):
        Path(f"{path}{end}").symlink_to(secret)
    main(["spool", "repair", str(path)])
    assert (secret.stat().st_uid, secret.stat().st_size) == (0, 0)
    assert path.stat().st_uid == NOBODY
    with closing(Spool(path)) as spool:
        assert spool.totals().waiting == 1
