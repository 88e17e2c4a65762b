"""The arguments of the `unisights` command, and which subcommand they call.

`serve`, `spool` and `deliver` are imported when they are called: the server and SQLite take a while
to import, and the other subcommands do not need them.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from unisights import __version__
from unisights._checks import MAX_SECONDS
from unisights._cli.validate import Format, validate_files
from unisights.config import InvalidEvents, UnisightsOptions
from unisights.errors import ConfigurationError, UnisightsError
from unisights.schema import SCHEMA_DIGEST, SCHEMA_VERSION, schema_text
from unisights.sinks._url_schemes import URL_FORMS, sink_from_url

SECRET_VARIABLE = "UNISIGHTS_SERVER_SECRET"  # noqa: S105  # its name, not its value
"""The environment variable of the secret that encrypted payloads were made with."""

_Commands = argparse._SubParsersAction  # noqa: SLF001  # argparse has no public name for its type


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 on a failure, 2 on wrong usage."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except ConfigurationError as error:
        print(f"unisights: {error}", file=sys.stderr)
        return 2
    except UnisightsError as error:
        print(f"unisights: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        drop_output()
        return 1


def drop_output() -> None:
    """Drop the rest of the output: its reader, such as `head`, has ended."""
    # Python would write it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="unisights", description="Receive and validate events of the unisights browser client."
    )
    parser.add_argument("--version", action="version", version=f"unisights {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_validate(commands)
    _add_schema(commands)
    _add_spool(commands)
    _add_deliver(commands)
    return parser


def _add_serve(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="receive events and store them, in a SQLite file or elsewhere",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=_port, help="port to listen on; 0: a free one")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--db", default=Path("unisights.sqlite3"), type=Path, help="SQLite file")
    where.add_argument("--sink", metavar="URL", help=f"store elsewhere: {URL_FORMS}")
    parser.add_argument("--path", default="/events", help="path of the endpoint")
    parser.add_argument(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="origin whose pages may send, such as https://example.com; may be given several "
        "times; every origin, if not given",
    )
    parser.add_argument(
        "--max-payload-size", default=1024 * 1024, type=int, help="greatest body, in bytes"
    )
    parser.add_argument("--debug", action="store_true", help="log what payloads hold")
    parser.set_defaults(run=_serve)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    from unisights._cli.serve import serve  # noqa: PLC0415
    from unisights.sinks import SQLiteSink  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO if options.debug else logging.WARNING)
    served = UnisightsOptions(
        path=options.path,
        max_payload_size=options.max_payload_size,
        allow_origins=options.allow_origin or ["*"],
        debug=options.debug,
    )
    sink = sink_from_url(options.sink) if options.sink else SQLiteSink(options.db)
    serve(served, sink, host=options.host, port=options.port)
    return 0


def _add_validate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "validate",
        help="validate files of payloads, JSON or NDJSON",
        description="Writes a line for each problem: FILE:LINE: POINTER: MESSAGE. LINE is the line "
        "on which the payload begins: of NDJSON, its own line. POINTER is a JSON Pointer to the "
        "place in the payload. Exits with 0 if everything is valid, 1 if something is not, 2 if "
        "something could not be read. Payloads encrypted with a server secret need it in the "
        f"environment, as {SECRET_VARIABLE}.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a file; -: standard input")
    parser.add_argument(
        "--format",
        choices=get_args(Format),
        default="text",
        help="json: an object on each line, with file, line, pointer, rule and message",
    )
    parser.set_defaults(run=_validate)


def _validate(options: argparse.Namespace) -> int:
    totals = validate_files(
        options.files,
        output_format=options.format,
        server_secret=_server_secret(),
        progress=sys.stderr if sys.stderr.isatty() else None,
    )
    if options.format == "text":
        summary = f"{totals.payloads} read, {totals.invalid} invalid, {totals.problems} problems"
        print(summary, file=sys.stderr)
    return totals.exit_status


def _server_secret() -> str | None:
    return os.environ.get(SECRET_VARIABLE) or None


def _add_schema(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("schema", help="print the JSON Schema of payloads")
    parser.add_argument(
        "--only", choices=["version", "digest"], help="print its version or SHA-256 instead"
    )
    parser.set_defaults(run=_schema)


def _schema(options: argparse.Namespace) -> int:
    shown = {"version": SCHEMA_VERSION, "digest": SCHEMA_DIGEST}
    print(shown[options.only] if options.only else schema_text(), end="\n" if options.only else "")
    return 0


def _add_spool(commands: "_Commands[argparse.ArgumentParser]") -> None:
    add_spool_actions(
        commands.add_parser("spool", help="inspect or repair a spool of durable delivery")
    )


def add_spool_actions(spool: argparse.ArgumentParser, *, needs_file: bool = True) -> None:
    """Add the actions on a spool to a parser, which then gets the function `run`.

    Args:
        spool: the parser.
        needs_file: whether the spool has to be named; else, its caller knows a default.
    """
    actions = spool.add_subparsers(dest="action", required=True, metavar="ACTION")
    stat = actions.add_parser("stat", help="print how much is waiting, and for how long")
    stat.add_argument("--format", choices=get_args(Format), default="text")
    listing = actions.add_parser("list", help="print a line for each record")
    exporting = actions.add_parser("export", help="write records to standard output, as NDJSON")
    dropping = actions.add_parser(
        "drop",
        help="delete records for good",
        description="Deletes all waiting payloads, all dead letters or all rejected records, or "
        "some of them. Say which: --waiting, --dead, --rejected or --id. Say whether to keep their "
        "content: --export writes it to a new file, as `unisights spool export` prints it. The "
        "spool may be in use meanwhile. The file does not get smaller: its room is used again.",
    )
    for action in (listing, exporting, dropping):
        action.add_argument("--waiting", action="store_true", help="only payloads that are waiting")
        action.add_argument("--dead", action="store_true", help="only dead letters")
        action.add_argument("--rejected", action="store_true", help="only rejected records")
    retrying = actions.add_parser("retry", help="deliver dead letters again")
    replaying = actions.add_parser(
        "replay",
        help="validate rejected records again, and deliver those that are valid now",
        description="Validates by the schema of this version of unisights. Payloads encrypted with "
        f"a server secret need it in the environment, as {SECRET_VARIABLE}.",
    )
    replaying.add_argument(
        "--invalid-events",
        choices=get_args(InvalidEvents),
        default="reject",
        help="quarantine: of refused bodies, deliver the events that are valid",
    )
    keeping = dropping.add_mutually_exclusive_group(required=True)
    keeping.add_argument(
        "--export", type=Path, metavar="NDJSON", help="write them to this new file before"
    )
    keeping.add_argument("--no-export", action="store_true", help="their content is not needed")
    for action in (retrying, replaying, dropping):
        action.add_argument(
            "--id", action="append", type=int, help="only this record; may be given several times"
        )
    repairing = actions.add_parser(
        "repair",
        help="check the file; if it is corrupt, save what can be read",
        description="Stop what uses the spool first. Exits with 0 if nothing was lost, 1 if "
        "something could not be read. The corrupt file is kept beside the new one.",
    )
    for action in (stat, listing, exporting, retrying, replaying, dropping, repairing):
        count = None if needs_file else "?"
        action.add_argument("file", type=Path, nargs=count, metavar="FILE", help="the spool")
    spool.set_defaults(run=_spool)


def _spool(options: argparse.Namespace) -> int:
    from unisights._cli import spool  # noqa: PLC0415
    from unisights._spool.reports import State  # noqa: PLC0415

    match options.action:
        case "stat":
            return spool.print_stat(options.file, as_json=options.format == "json")
        case "list" | "export":
            states = get_args(State)
            wanted = [state for state in states if getattr(options, state)] or [*states]
            show = spool.print_list if options.action == "list" else spool.export
            return show(options.file, wanted)
        case "drop":
            states = get_args(State)
            wanted = [state for state in states if getattr(options, state)]
            if not wanted and not options.id:
                raise ConfigurationError(
                    "say which records to drop: --waiting, --dead, --rejected or --id; "
                    f"`unisights spool list {options.file}` shows them"
                )
            return spool.drop(
                options.file, wanted or [*states], options.id, export_to=options.export
            )
        case "retry":
            return spool.retry(options.file, options.id)
        case "replay":
            return spool.replay(
                options.file,
                options.id,
                server_secret=getattr(options, "server_secret", None) or _server_secret(),
                quarantines=options.invalid_events == "quarantine",
            )
        case _:
            return spool.repair(options.file)


def _add_deliver(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "deliver",
        help="deliver what is in an app's spools, in a process of its own",
        description="Runs until SIGTERM or SIGINT, beside the app's own processes or without them. "
        "Handlers that run then may finish, and the rest stays in the spool. The lifespan of an "
        "ASGI app is not run.",
    )
    parser.add_argument(
        "app",
        metavar="APP",
        help="MODULE:NAME or MODULE:FACTORY(): an app, of which all durable endpoints are "
        "delivered; or one router, blueprint, view or endpoint; or options",
    )
    parser.add_argument(
        "--until-empty",
        action="store_true",
        help="exit with 0 once all that is in the spools now has been delivered or is a dead "
        "letter, and with 1 if that cannot be",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="with --until-empty: give up if nothing has been delivered for so long, as what is "
        "left waits for a retry; 60, if not given",
    )
    parser.set_defaults(run=_deliver)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, at most {MAX_SECONDS:.0f}")
    return seconds


def _deliver(options: argparse.Namespace) -> int:
    from unisights._cli.deliver import deliver  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING)
    return deliver(options.app, until_empty=options.until_empty, timeout=options.timeout)
