"""`manage.py unisights_spool`: the command `unisights spool` on the project's own spool."""

import argparse
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from unisights._cli.main import add_spool_actions, drop_output
from unisights.config import UnisightsOptions
from unisights.delivery import Durable
from unisights.django._settings import read_options
from unisights.django._urls import find_endpoints
from unisights.errors import ConfigurationError, UnisightsError


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Inspects or repairs the spool of the setting `UNISIGHTS`, or of the URLconf's endpoint."""

    help = (
        "Inspect or repair a spool of durable delivery. Without FILE, it is that of the setting "
        "UNISIGHTS, or of the only endpoint in the URLconf that has one."
    )
    # It has to work when something else in the project is wrong.
    requires_system_checks: list[str] = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the arguments of `unisights spool`, where the file may be left out."""
        add_spool_actions(parser, needs_file=False)

    def handle(self, **options: Any) -> None:
        """Run the action; its failure is the command's."""
        arguments = argparse.Namespace(**options)
        try:
            _complete(arguments)
            with _printed_to(options.get("stdout")):
                status = arguments.run(arguments)
        except UnisightsError as error:
            code = 2 if isinstance(error, ConfigurationError) else 1
            raise CommandError(str(error), returncode=code) from error
        except BrokenPipeError:
            drop_output()
            status = 1
        if status:
            raise CommandError("something was lost, see above", returncode=status)


def _complete(arguments: argparse.Namespace) -> None:
    """Set the file, unless it is given, and the secret for its encrypted payloads."""
    if arguments.file is None:
        spools = _spools()
        if len(spools) != 1:
            known = f": {', '.join(map(str, spools))}" if spools else ""
            raise ConfigurationError(
                f"name the file: the project has {len(spools) or 'no'} spools{known}"
            )
        ((arguments.file, options),) = spools.items()
        arguments.server_secret = options.server_secret
    else:
        with contextlib.suppress(ConfigurationError):
            arguments.server_secret = read_options().server_secret


def _spools() -> dict[Path, UnisightsOptions]:
    """The spool of the setting, or else those of the URLconf, each with its endpoint's options."""
    options = [read_options()]
    if not isinstance(options[0].delivery, Durable):
        options = [found.endpoint.collector.options for found in find_endpoints()]
    return {
        Path(one.delivery.spool).resolve(): one
        for one in options
        if isinstance(one.delivery, Durable)
    }


@contextlib.contextmanager
def _printed_to(stream: TextIO | None) -> Iterator[None]:
    """Have what is printed written to a stream, such as a test's, instead of standard output."""
    if stream is None:
        yield
        return
    content = io.BytesIO()
    with io.TextIOWrapper(content, "utf-8") as printed:
        try:
            with contextlib.redirect_stdout(printed):
                yield
        finally:
            printed.flush()
            stream.write(content.getvalue().decode())
