"""The argument MODEL, which means the same in every command that takes a model."""

from __future__ import annotations

import argparse

from growgan.core.shipped import shipped


def add_model(parser: argparse.ArgumentParser) -> None:
    """Describe MODEL."""
    parser.add_argument("model", metavar="MODEL", help=kinds())


def kinds() -> str:
    """What MODEL may be, with the names of the models that are shipped."""
    names = ", ".join(shipped())
    return "a file, a run folder, hf://OWNER/NAME, or a shipped name" + (f": {names}" if names else "")
