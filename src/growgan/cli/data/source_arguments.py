"""How a source is to be understood, which several data commands ask."""

from __future__ import annotations

import argparse


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe how a source is to be understood."""
    parser.add_argument("--kind", metavar="K", help="kind of source: folder, tar, lmdb ... (default: detected)")
    parser.add_argument("--split", metavar="S", help="train, test ... or all, if the source has splits (default train)")
