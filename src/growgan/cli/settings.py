"""``--set`` and the flags that are short names of fields: for every command that takes a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from growgan.core.errors import ConfigError


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.FIELD=VALUE",
        help="set any field of the configuration; may be given several times, the last one wins",
    )


def overrides(args: argparse.Namespace, flags: Mapping[str, str]) -> list[tuple[str, str]]:
    """The fields that the command names, with their values: flags, then ``--set``, the later winning."""
    named = [(field, getattr(args, flag)) for flag, field in flags.items() if getattr(args, flag) is not None]
    for item in args.set:
        field, separator, text = item.partition("=")
        if not separator:
            raise ConfigError(f"--set wants SECTION.FIELD=VALUE, not {item!r}")
        named.append((field.strip(), text))
    return named
