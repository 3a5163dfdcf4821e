"""What the data commands ask and say alike."""

from __future__ import annotations

import argparse


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe how a source is to be understood."""
    parser.add_argument("--kind", metavar="K", help="kind of source: folder, tar, lmdb ... (default: detected)")
    parser.add_argument("--split", metavar="S", help="train, test ... or all, if the source has splits (default train)")


def format_size(size_bytes: int) -> str:
    """A size as people read it: 812 bytes, 1.4 MB."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
