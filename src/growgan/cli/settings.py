"""``--set`` and the flags that are shorthand for fields, for every command that takes a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from growgan.cli.model import PRECISIONS
from growgan.core.errors import ConfigError


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.FIELD=VALUE",
        help="set any field of the configuration; repeatable, the last one wins",
    )


def overrides(args: argparse.Namespace, flags: Mapping[str, str]) -> list[tuple[str, str]]:
    """The fields that the command sets, with their values: flags, then ``--set``, with later ones taking precedence."""
    named = [(field, getattr(args, flag)) for flag, field in flags.items() if getattr(args, flag) is not None]
    for item in args.set:
        field, separator, text = item.partition("=")
        if not separator:
            raise ConfigError(f"--set takes SECTION.FIELD=VALUE, not {item!r}")
        named.append((field.strip(), text))
    return [(field, PRECISIONS.get(text, text) if field == "execution.precision" else text) for field, text in named]


@contextmanager
def named_by_flag(args: argparse.Namespace, flags: Mapping[str, str]) -> Iterator[None]:
    """Let a `ConfigError` that begins with a field name mention the flag instead, if that is what the user typed."""
    try:
        yield
    except ConfigError as error:
        text = str(error)
        for flag, field in flags.items():
            set_too = any(item.partition("=")[0].strip() == field for item in args.set)
            if getattr(args, flag) is not None and not set_too and text.startswith(f"{field} "):
                error.args = (f"--{flag.replace('_', '-')}{text.removeprefix(field)}",)
        raise
