"""The argument MODEL, which means the same in every command that takes a model."""

from __future__ import annotations

import argparse

from growgan.core.shipped import shipped


def add_model(parser: argparse.ArgumentParser) -> None:
    """Describe MODEL, with the names of the models that are shipped."""
    names = ", ".join(shipped())
    help_ = "a file, a run folder, hf://OWNER/NAME, or a shipped name" + (f": {names}" if names else "")
    parser.add_argument("model", metavar="MODEL", help=help_)
