"""``growgan data build``: from any pictures to a finished dataset."""

from __future__ import annotations

import argparse
import sys

from growgan.cli.data.source_arguments import add_source_arguments
from growgan.cli.parsing import parse_crop
from growgan.core.progress import Progress
from growgan.core.text import counted, file_size, printable

SUMMARY = "build a training-ready dataset from a folder, an archive, LSUN, CIFAR, TFRecords ..."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("source", metavar="SRC", help="folder, archive or dataset (recipes: docs/datasets.md)")
    parser.add_argument("out", metavar="OUT", help="the dataset: a zip if the name ends in .zip, otherwise a folder")
    add_source_arguments(parser)
    parser.add_argument("--resolution", type=int, metavar="N", help="a power of two (default: what 9 in 10 reach)")
    parser.add_argument(
        "--crop", type=parse_crop, metavar="L,T,R,B", help="in pixels, or in fractions if all are at most 1"
    )
    parser.add_argument(
        "--pad", metavar="HOW", help="pad to a square instead of cropping: black, white, edge or mirror"
    )
    parser.add_argument("--channels", type=int, metavar="N", help="1, 3 or 4 (default: 1 if all are grey, else 3)")
    parser.add_argument(
        "--labels",
        metavar="L",
        help="folders (top-level names), none, a CSV or JSON file, or one of the source's own label sets",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N usable pictures")
    parser.add_argument(
        "--format",
        default="png",
        metavar="png|webp|jpg",
        help="file format of pictures that are re-encoded (default png)",
    )
    parser.add_argument("--quality", type=int, metavar="Q", help="quality of webp and jpg, 1 to 100 (default 95)")
    parser.add_argument("--unique", action="store_true", help="drop duplicate pictures")
    parser.add_argument("--strict", action="store_true", help="stop at the first unusable picture")
    parser.add_argument("--upscale", action="store_true", help="enlarge pictures that are too small")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def run(args: argparse.Namespace) -> int:
    """Build the dataset; what was left out is reported on stderr, one per line."""
    from growgan.data.build import build
    from growgan.data.prepare import list_skipped

    report = build(
        args.source,
        args.out,
        kind=args.kind,
        split=args.split,
        resolution=args.resolution,
        crop=args.crop,
        pad=args.pad,
        channels=args.channels,
        labels=args.labels,
        limit=args.limit,
        unique=args.unique,
        strict=args.strict,
        format=args.format,
        quality=args.quality,
        upscale=args.upscale,
        overwrite=args.overwrite,
        progress=Progress,
    )
    for line in list_skipped(report.skipped, None):
        print(line, file=sys.stderr)
    print(
        f"{report.path}: {counted(report.count, 'picture')} of {report.resolution}x{report.resolution},"
        f" {counted(report.channels, 'channel')}, {report.framing}; {report.copied:,} copied unchanged,"
        f" {len(report.skipped):,} skipped; {file_size(report.size_bytes)} in {report.seconds:.1f} s"
    )
    if report.equal and not args.unique:
        verb = "is" if report.equal == 1 else "are"
        print(f"{report.equal:,} {verb} duplicates of earlier ones (--unique drops them)")
    if report.class_names:
        print(f"classes: {printable(', '.join(report.class_names))}")
    return 0
