"""``growgan data celebahq``: CelebA-HQ from CelebA in the wild, with the released deltas or by the paper's recipe."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from growgan.core.errors import ConfigError
from growgan.core.progress import Progress
from growgan.core.text import counted

if TYPE_CHECKING:
    from growgan.data.faces.celebahq import CelebAHQReport

SUMMARY = "build CelebA-HQ from CelebA's in-the-wild pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("celeba", metavar="CELEBA", help="folder with img_celeba/ and Anno/list_landmarks_celeba.txt")
    parser.add_argument("out", metavar="OUT", help="the dataset: a zip if the name ends in .zip, otherwise a folder")
    parser.add_argument("--deltas", metavar="DIR", help="the release's deltas and image_list.txt (default: the recipe)")
    parser.add_argument(
        "--nearly", action="store_true", help="with --deltas: accept pictures that are a few levels off"
    )
    parser.add_argument("--resolution", type=int, metavar="N", help="without --deltas: a power of two (default 1024)")
    parser.add_argument(
        "--count", type=int, metavar="N", help="keep the best N (default 30000); with --deltas the first N (all)"
    )
    parser.add_argument("--artefacts", metavar="MODEL", help="without --deltas: artefact remover, TorchScript or ONNX")
    parser.add_argument("--superres", metavar="MODEL", help="without --deltas: super-resolution, TorchScript or ONNX")
    parser.add_argument("--strict", action="store_true", help="stop at the first unusable picture")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def run(args: argparse.Namespace) -> int:
    """Make the dataset; what was left out is reported on stderr, one per line."""
    from growgan.data.prepare import list_skipped

    report = _make(args) if args.deltas is None else _restore(args)
    for line in list_skipped(report.skipped, None):
        print(line, file=sys.stderr)
    print(
        f"{report.path}: {counted(report.count, 'picture')} of {report.resolution}x{report.resolution} out of"
        f" {report.considered:,} in {report.seconds:.1f} s; {len(report.skipped):,} skipped"
    )
    if report.ranking is None:
        print(f"{report.exact:,} match the release's checksum")
    else:
        print(f"ranking: {report.ranking}")
    return 0


def _make(args: argparse.Namespace) -> CelebAHQReport:
    from pathlib import Path

    from growgan.data.faces.celebahq import COUNT, SIDE, make
    from growgan.data.faces.enhance import Enhancer

    if args.nearly:
        raise ConfigError("--nearly needs --deltas")
    models = [None if name is None else Path(name) for name in (args.artefacts, args.superres)]
    enhancer = Enhancer(*models) if any(models) else None
    return make(
        args.celeba,
        args.out,
        resolution=SIDE if args.resolution is None else args.resolution,
        count=COUNT if args.count is None else args.count,
        enhance=enhancer,
        settings="" if enhancer is None else enhancer.describe(),
        strict=args.strict,
        overwrite=args.overwrite,
        progress=Progress,
    )


def _restore(args: argparse.Namespace) -> CelebAHQReport:
    from growgan.data.faces.restore import restore

    for name in ("resolution", "artefacts", "superres"):
        if getattr(args, name) is not None:
            raise ConfigError(f"--{name} cannot be combined with --deltas")
    return restore(
        args.celeba,
        args.deltas,
        args.out,
        nearly=args.nearly,
        limit=args.count,
        strict=args.strict,
        overwrite=args.overwrite,
        progress=Progress,
    )
