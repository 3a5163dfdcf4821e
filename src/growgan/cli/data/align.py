"""``growgan data align``: the faces in photographs, framed as CelebA-HQ's."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.cli.data.words import add_source_arguments
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.progress import Progress
from growgan.core.text import counted

SUMMARY = "make a set of the faces in photographs, framed as CelebA-HQ's"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("source", metavar="SRC", help="photographs: anything that data build takes")
    parser.add_argument("out", metavar="OUT", help="the set: a zip where it ends in .zip, else a folder")
    add_source_arguments(parser)
    parser.add_argument("--resolution", type=int, default=1024, metavar="N", help="power of two (1024)")
    parser.add_argument("--landmarks", metavar="FILE", help="eyes, nose and mouth: a CSV or CelebA's list (found)")
    parser.add_argument("--detector", metavar="DIR", help="pnet.pt, rnet.pt, onet.pt (of facenet-pytorch, installed)")
    parser.add_argument("--no-refine", action="store_true", help="do without the non-commercial fit of landmarks")
    parser.add_argument("--faces", type=int, metavar="N", help="of one picture at most N faces, the largest (all)")
    parser.add_argument("--min-size", type=float, metavar="PX", help="side of the crop (half the resolution)")
    parser.add_argument(
        "--min-confidence", type=float, default=0.9, metavar="P", help="that it is a face, 0 to 1 (0.9)"
    )
    parser.add_argument(
        "--min-inside", type=float, default=0.5, metavar="S", help="share of the crop within the picture (0.5)"
    )
    parser.add_argument(
        "--min-sharpness", type=float, default=0.08, metavar="S", help="share of the spectrum in use (0.08)"
    )
    parser.add_argument("--labels", metavar="L", help="folders, none or a file, as data build takes them")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N faces")
    parser.add_argument("--format", default="png", metavar="png|webp|jpg", help="of the pictures (png)")
    parser.add_argument("--quality", type=int, metavar="Q", help="of webp and jpg, 1 to 100 (95)")
    parser.add_argument("--strict", action="store_true", help="stop at the first unreadable picture")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def run(args: argparse.Namespace) -> int:
    """Make the set; unreadable files go to stderr, a line each."""
    from growgan.data.faces.align import align
    from growgan.data.faces.judge import KEPT, Rules
    from growgan.data.prepare import list_skipped

    for name, given in (("detector", args.detector is not None), ("no-refine", args.no_refine)):
        if given and args.landmarks is not None:
            raise ConfigError(f"--{name} is for landmarks that are found, and --landmarks gives them")
    rules = Rules(
        resolution=args.resolution,
        min_size=args.resolution / 2 if args.min_size is None else args.min_size,
        min_confidence=args.min_confidence,
        min_inside=args.min_inside,
        min_sharpness=args.min_sharpness,
        most=args.faces,
    )
    if not args.overwrite:
        check_own(Path(args.out).with_name(f"{Path(args.out).name}.faces.png"), "OUT")
    report = align(
        args.source,
        args.out,
        rules,
        landmarks=args.landmarks,
        weights=args.detector,
        refine=not args.no_refine,
        kind=args.kind,
        split=args.split,
        labels=args.labels,
        limit=args.limit,
        strict=args.strict,
        format=args.format,
        quality=args.quality,
        overwrite=args.overwrite,
        progress=Progress,
    )
    for line in list_skipped(report.skipped, None):
        print(line, file=sys.stderr)
    print(
        f"{report.path}: {counted(report.counts[KEPT], 'face')} of {args.resolution}x{args.resolution} from"
        f" {counted(report.pictures, 'picture')} in {report.seconds:.1f} s;"
        f" {counted(len(report.skipped), 'file')} skipped"
    )
    if dropped := [f"{reason} {count:,}" for reason, count in report.counts.items() if reason != KEPT]:
        print(f"not kept: {', '.join(dropped)}")
    print(f"every face with its landmarks and numbers: {report.table}; a look at them: {report.sheet}")
    return 0
