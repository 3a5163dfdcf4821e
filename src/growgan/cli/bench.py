"""``growgan bench``: this machine's performance, and how close it comes to its own limits."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from growgan.cli.settings import add_set, named_by_flag, overrides
from growgan.core.errors import ConfigError
from growgan.core.files import check_own, write_text
from growgan.core.progress import Progress, clock

SUMMARY = "benchmark training, generation, data loading and memory on this machine against its own limits"

FLAGS = {
    "resolution": "network.resolution",
    "device": "execution.device",
    "precision": "execution.precision",
    "threads": "execution.threads",
}
"""Flags that are shorthand for fields."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "--parts", metavar="NAMES", help="any of limits,steps,generate,loader,memory,startup (default: all)"
    )
    parser.add_argument(
        "--preset", metavar="NAME[,modifier...]", help="time this preset's steps instead of standard networks'"
    )
    parser.add_argument(
        "--run", metavar="NAME[,modifier...]", help="estimate the time of a preset's whole run from its stages"
    )
    parser.add_argument("--steps", metavar="SIZE:N,...", help="resolutions and minibatches, e.g. 8:16,128:2")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="pictures to time the loader on (default: synthetic ones)"
    )
    parser.add_argument(
        "--resolution", metavar="N", help="resolution for --preset or --run (default: the preset's own)"
    )
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--precision", metavar="P", help="auto (bfloat16 where it is fast), float32 or bfloat16")
    parser.add_argument("--threads", metavar="N", help="CPU threads (default: PyTorch's)")
    add_set(parser)
    parser.add_argument("--quick", action="store_true", help="shorter measurements: about half a minute in all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a table for each part."""
    from growgan.bench import bench, stages
    from growgan.bench.machine import describe, line
    from growgan.bench.table import TABLES

    request = bench.Request(
        parts=tuple(part.strip() for part in args.parts.split(",")) if args.parts is not None else bench.PARTS,
        preset=args.preset,
        run=args.run,
        overrides=overrides(args, FLAGS),
        sizes=parse_sizes(args.steps) if args.steps is not None else None,
        data=args.data,
        quick=args.quick,
    )
    if args.json:
        check_own(args.json, "--json")
    with named_by_flag(args, FLAGS):
        work = bench.Bench(request)
    print(line(describe(work.machine)), flush=True)
    with Progress(len(work.pieces), "measurements") as progress:
        for i, piece in enumerate(work.pieces):
            progress.what = piece.what
            progress.advance(0)
            work.take(piece)
            progress.advance()
            if i + 1 == len(work.pieces) or work.pieces[i + 1].part != piece.part:
                progress.clear()
                print("\n" + TABLES[piece.part].render(work.found[piece.part]), flush=True)
                if args.json:
                    write_text(args.json, json.dumps(work.to_json(), indent=2) + "\n")
    if args.run:
        hours = stages.total_hours(work.found["stages"])
        print(f"\nwhole run: {'unknown' if hours is None else f'{hours:,.1f} hours ({clock(hours * 3600)})'}")
    return 0


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """Resolutions and minibatches from text such as ``8:16,128:2``. Raises `ConfigError` for anything else."""
    sizes = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,6}):(\d{1,6})\s*", part, re.ASCII)
        if not found:
            raise ConfigError(f"--steps takes sizes and minibatches such as 8:16,128:2, not {text[:60]!r}")
        sizes.append((int(found[1]), int(found[2])))
    return sizes
