"""``growgan data align``: the faces in photographs, framed as in CelebA-HQ."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.cli.data.source_arguments import add_source_arguments
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.progress import Progress
from growgan.core.text import counted

SUMMARY = "build a dataset of the faces found in photographs, framed like CelebA-HQ"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("source", metavar="SRC", help="photographs: any source `data build` accepts")
    parser.add_argument("out", metavar="OUT", help="the dataset: a zip if the name ends in .zip, otherwise a folder")
    add_source_arguments(parser)
    parser.add_argument("--resolution", type=int, default=1024, metavar="N", help="a power of two (default 1024)")
    parser.add_argument(
        "--landmarks", metavar="FILE", help="eyes, nose and mouth: a CSV or CelebA's list (default: detect)"
    )
    parser.add_argument(
        "--detector", metavar="DIR", help="folder of pnet.pt, rnet.pt, onet.pt (default: facenet-pytorch)"
    )
    parser.add_argument(
        "--no-refine", action="store_true", help="skip the landmark refinement, which is non-commercial only"
    )
    parser.add_argument(
        "--faces", type=int, metavar="N", help="keep at most the N largest faces of a picture (default: all)"
    )
    parser.add_argument(
        "--min-size", type=float, metavar="PX", help="smallest side of the crop (default: half the resolution)"
    )
    parser.add_argument(
        "--min-confidence",
        type=float,
        default=0.9,
        metavar="P",
        help="how sure the detector must be, 0 to 1 (default 0.9)",
    )
    parser.add_argument(
        "--min-inside",
        type=float,
        default=0.5,
        metavar="S",
        help="least share of the crop inside the picture (default 0.5)",
    )
    parser.add_argument(
        "--min-sharpness",
        type=float,
        default=0.08,
        metavar="S",
        help="least share of the spectrum in use (default 0.08)",
    )
    parser.add_argument("--labels", metavar="L", help="folders, none or a file, as for `data build`")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N faces")
    parser.add_argument(
        "--format", default="png", metavar="png|webp|jpg", help="file format of the pictures (default png)"
    )
    parser.add_argument("--quality", type=int, metavar="Q", help="quality of webp and jpg, 1 to 100 (default 95)")
    parser.add_argument("--strict", action="store_true", help="stop at the first unreadable picture")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def run(args: argparse.Namespace) -> int:
    """Make the dataset; unreadable files are reported on stderr, one per line."""
    from growgan.data.faces.align import align
    from growgan.data.faces.judge import KEPT, Rules
    from growgan.data.prepare import list_skipped

    for name, given in (("detector", args.detector is not None), ("no-refine", args.no_refine)):
        if given and args.landmarks is not None:
            raise ConfigError(f"--{name} applies to detected landmarks and cannot be combined with --landmarks")
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
        print(f"rejected: {', '.join(dropped)}")
    print(f"landmarks and scores of every face: {report.table}; contact sheet: {report.sheet}")
    return 0
