"""The command ``growgan``: a table of commands, and how errors are shown."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from growgan import __version__
from growgan.cli.interrupt import held_while_importing, tidied_when_terminated
from growgan.core.errors import Terminated, UserError, as_out_of_memory, say
from growgan.core.text import nearest

COMMANDS = {
    "demo": "growgan.cli.demo",
    "train": "growgan.cli.train",
    "generate": "growgan.cli.generate",
    "video": "growgan.cli.video",
    "timelapse": "growgan.cli.timelapse",
    "directions": "growgan.cli.directions",
    "edit": "growgan.cli.edit",
    "project": "growgan.cli.project",
    "serve": "growgan.cli.serve",
    "evaluate": "growgan.cli.evaluate",
    "neighbours": "growgan.cli.neighbours",
    "info": "growgan.cli.info",
    "export": "growgan.cli.export",
    "push": "growgan.cli.push",
    "data": "growgan.cli.data",
    "bench": "growgan.cli.bench",
    "import": "growgan.cli.import_",
}
"""Each module has SUMMARY, add_arguments(parser) and run(args) -> exit status; none imports anything heavy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit status: 2 for errors that the user can fix, with one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may have characters that a terminal or file cannot encode
            stream.reconfigure(errors="backslashreplace")
    args = parse(arguments)
    try:
        with held_while_importing(), tidied_when_terminated():
            return int(import_module(COMMANDS[args.command]).run(args))
    except UserError as error:
        return say(error)
    except KeyboardInterrupt as error:
        print("growgan: interrupted", file=sys.stderr)
        return 143 if isinstance(error, Terminated) else 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MemoryError, RuntimeError) as error:
        if found := as_out_of_memory(error):
            return say(found)
        raise
    except OSError as error:  # e.g. a folder without read permission, or a name that is too long
        where = f"{error.filename}: " if error.filename else ""
        print(f"growgan: {where}{error.strerror or error}", file=sys.stderr)
        return 2


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The parsed command line; unknown arguments are reported by the command that they were given to."""
    args, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        parser: _Parser = args.parser
        known = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
        meant = next((near for word in unknown if (near := nearest(word, known))), None)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{f'; did you mean {meant}?' if meant else ''}")
    return args


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="growgan", description="Progressive growing of GANs: train on a folder of photographs, generate new ones."
    )
    parser.add_argument("--version", action="version", version=f"growgan {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = import_module(module)
        about = command.SUMMARY
        own = commands.add_parser(name, help=about, description=about)
        own.set_defaults(parser=own)
        command.add_arguments(own)
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, without the usage before it."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["allow_abbrev"] = False
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Exit with status 2; for an invalid choice, suggest the nearest one."""
        if wrong := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            meant = nearest(wrong[1], re.findall(r"[\w.-]+", wrong[2]))
            message += f"; did you mean {meant}?" if meant else ""
        if wanting := re.search(r"argument (?:\S+/)?(--[\w-]+): expected one argument", message):
            message += f"; write a value that starts with a minus as {wanting[1]}=..."
        self.exit(2, f"{self.prog}: {message} (try {self.prog} --help)\n")
