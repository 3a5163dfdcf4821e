"""``growgan data show``: a contact sheet."""

from __future__ import annotations

import argparse

from growgan.core.errors import DataError
from growgan.core.geometry import parse_grid

SUMMARY = "draw a contact sheet of a set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished set")
    parser.add_argument("--grid", default="8x4", metavar="CxR", help="columns and rows (8x4)")
    parser.add_argument("--out", required=True, metavar="FILE.png", help="where the sheet goes")


def run(args: argparse.Namespace) -> int:
    """Draw the sheet and print where it is."""
    from growgan.data.dataset import open_dataset
    from growgan.data.inspect import draw_sheet

    with open_dataset(args.set) as dataset:
        sheet = draw_sheet(dataset, *parse_grid(args.grid))
    try:
        sheet.save(args.out)
    except (OSError, ValueError) as error:
        raise DataError(f"{args.out}: cannot be written ({error})") from error
    print(args.out)
    return 0
