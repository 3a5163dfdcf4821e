"""Arguments for how to interpret a source, shared by several data commands."""

from __future__ import annotations

import argparse


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe how to interpret a source."""
    parser.add_argument("--kind", metavar="K", help="kind of source: folder, tar, lmdb ... (default: detected)")
    parser.add_argument("--split", metavar="S", help="train, test ... or all, if the source has splits (default train)")
