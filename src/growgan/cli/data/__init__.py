"""``growgan data``: a table of subcommands, each a module like those in `growgan.cli.main.COMMANDS`."""

from __future__ import annotations

import argparse
from importlib import import_module

SUMMARY = "build, inspect and convert datasets"

COMMANDS = {
    "download": "growgan.cli.data.download",
    "build": "growgan.cli.data.build",
    "info": "growgan.cli.data.info",
    "show": "growgan.cli.data.show",
    "labels": "growgan.cli.data.labels",
    "compare": "growgan.cli.data.compare",
    "extract": "growgan.cli.data.extract",
    "align": "growgan.cli.data.align",
    "celebahq": "growgan.cli.data.celebahq",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe every subcommand; a module's STATUS documents exit statuses other than plain success or an error."""
    commands = parser.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = import_module(module)
        about = command.SUMMARY
        status = getattr(command, "STATUS", None)
        own = commands.add_parser(name, help=about, description=about, epilog=status)
        own.set_defaults(parser=own)
        command.add_arguments(own)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    return int(import_module(COMMANDS[args.data_command]).run(args))
