"""``growgan data show``: a contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

from growgan.cli.data.source_arguments import add_source_arguments
from growgan.core.errors import ConfigError
from growgan.core.geometry import parse_grid

FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}
"""File suffixes, and the picture formats of a dataset."""
SUMMARY = "draw a contact sheet of a dataset, or of any pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("set", metavar="SET", help="a finished dataset, or any source `data build` accepts")
    add_source_arguments(parser)
    parser.add_argument("--grid", default="8x4", metavar="CxR", help="columns and rows (default 8x4)")
    parser.add_argument("--out", required=True, metavar="FILE", help="file for the sheet: .png, .jpg or .webp")


def run(args: argparse.Namespace) -> int:
    """Draw the sheet and print its path."""
    from growgan.core.files import check_own, whole
    from growgan.data.dataset import is_finished, open_dataset
    from growgan.data.image_metadata import metadata_for
    from growgan.data.inspect import draw_sheet, draw_source_sheet
    from growgan.data.pictures import convert, strict_pillow
    from growgan.data.sources import Wishes, open_source
    from growgan.data.transform import encode
    from growgan.sampling.films import WIDEST

    columns, rows = parse_grid(args.grid)
    out = Path(args.out)
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {out}: the sheet must be a .png, .jpg or .webp file")
    check_own(out)
    format = FORMATS[out.suffix.lower()]
    with strict_pillow():
        with open_source(args.set, args.kind, Wishes(args.split)) as source:
            finished = args.kind is None and is_finished(source)
            sheet = None if finished else draw_source_sheet(source, columns, rows)
        if sheet is None:
            with open_dataset(args.set) as dataset:
                sheet = draw_sheet(dataset, columns, rows)
    if format == "webp" and max(sheet.size) > WIDEST:
        size = "x".join(map(str, sheet.size))
        raise ConfigError(
            f"--out {out}: WebP allows at most {WIDEST:,} pixels per side and the sheet is {size}; use .png"
        )
    sheet = convert(sheet, 3) if format == "jpg" else sheet
    with whole(out) as temporary:
        temporary.write_bytes(encode(sheet, format, **metadata_for(format.upper(), {"set": Path(args.set).name})))
    print(args.out)
    return 0
