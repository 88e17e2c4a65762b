"""The helper that starts processes for tests."""

from pathlib import Path

from tests.processes import PYTHON, process, read_to_end, read_until, wait_for

NOISY = """\
import pathlib, sys
print("x" * 1_000_000, "begun", flush=True)
pathlib.Path(sys.argv[1]).touch()
print("y" * 1_000_000)
"""


def test_a_process_prints_more_than_anybody_reads(tmp_path: Path) -> None:
    """Its output does not hold it up, and is all there when it is read."""
    done = tmp_path / "done"
    with process([PYTHON, "-c", NOISY, str(done)]) as child:
        wait_for(done.exists, "what follows the output")
        assert len(read_until(child, "begun")) == 1_000_000 + len(" begun\n")
        assert read_to_end(child) == "y" * 1_000_000 + "\n"
