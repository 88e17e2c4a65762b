"""The `unisights` command."""

import argparse
import logging
import sys
from pathlib import Path

from unisights import __version__
from unisights.config import UnisightsOptions
from unisights.errors import ConfigurationError, UnisightsError
from unisights.serve import serve


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 on a failure, 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.debug else logging.WARNING)
    try:
        served = UnisightsOptions(
            path=options.path,
            max_payload_size=options.max_payload_size,
            allow_origins=options.allow_origin or ["*"],
            debug=options.debug,
        )
        serve(served, host=options.host, port=options.port, db=options.db)
    except ConfigurationError as error:
        print(f"unisights: {error}", file=sys.stderr)
        return 2
    except UnisightsError as error:
        print(f"unisights: {error}", file=sys.stderr)
        return 1
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="unisights", description="Receive events of the unisights browser client."
    )
    parser.add_argument("--version", action="version", version=f"unisights {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving = commands.add_parser(
        "serve",
        help="receive events and store them in a SQLite file",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    serving.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serving.add_argument(
        "--port", default=8000, type=_port, help="port to listen on; 0: a free one"
    )
    serving.add_argument("--db", default=Path("unisights.sqlite3"), type=Path, help="SQLite file")
    serving.add_argument("--path", default="/events", help="path of the endpoint")
    serving.add_argument(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="origin whose pages may send, such as https://example.com; may be given several "
        "times; every origin, if not given",
    )
    serving.add_argument(
        "--max-payload-size", default=1024 * 1024, type=int, help="greatest body, in bytes"
    )
    serving.add_argument("--debug", action="store_true", help="log what payloads hold")
    return parser
