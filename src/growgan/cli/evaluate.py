"""``growgan evaluate``: quality and variation of a model, of a run's snapshots, or of a second dataset."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from growgan.cli.model import add_working_device
from growgan.core.allocator import keep_memory
from growgan.core.errors import ConfigError
from growgan.core.progress import Progress
from growgan.core.runfiles import RunFiles, is_run

SUMMARY = "measure a model, every snapshot of a run, or a dataset against a dataset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "subject",
        metavar="MODEL_OR_DATA",
        help="a model file or name, a run folder (all its snapshots), or a dataset",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="SET",
        help="the dataset to measure against: the training data, or held-out pictures",
    )
    parser.add_argument(
        "--metrics",
        default="swd,msssim",
        metavar="NAMES",
        help="swd, msssim, fid, kid, is, pr, pr_inception; also e.g. swd16k, fid50k_full (default swd,msssim)",
    )
    parser.add_argument(
        "--images", type=int, metavar="N", help="number of pictures (2048; for fid and is of one model 10,000)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="seed of the fakes and all random choices, 0 to 4000 (default 0)",
    )
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects instead of a table")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="append JSON lines here (default for a run: RUN/measures.jsonl)"
    )
    parser.add_argument(
        "--protocol",
        default="legacy",
        metavar="P",
        help="how pictures are resized for Inception: legacy (default) or clean",
    )
    parser.add_argument("--inception", type=Path, metavar="FILE", help="Inception weights, a TorchScript file")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-16 weights for pr, a TorchScript file")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="pictures per batch (default 16)")
    add_working_device(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and append to the file of measures."""
    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    if args.protocol not in ("legacy", "clean"):
        raise ConfigError(f"--protocol must be legacy or clean, not {args.protocol!r}")

    from growgan.devices import choose_device
    from growgan.evaluation import results
    from growgan.evaluation.evaluate import Settings, evaluate
    from growgan.evaluation.requests import parse_requests
    from growgan.evaluation.sources import block

    keep_memory()
    block(args.seed)
    curve = is_run(Path(args.subject))
    requests = parse_requests(args.metrics, args.images, curve)
    device = choose_device(args.device)
    if device.type != "cpu":
        _say(f"measuring on {device}")
    settings = Settings(
        seed=args.seed,
        protocol=args.protocol,
        inception=args.inception,
        vgg=args.vgg,
        batch=args.batch,
        device=device,
    )
    out = args.out or (RunFiles(Path(args.subject)).measures if curve else None)
    lines = results.Lines(out) if out is not None else None
    check = lines.check if lines is not None else lambda terms: None
    found = []
    try:
        for result in evaluate(args.subject, args.data, requests, settings, Progress, _say, check):
            found.append(result)
            if lines is not None:
                lines.add(result)
    finally:  # show the results so far even if interrupted
        if found:
            text = json.dumps(results.to_json(found), indent=2, allow_nan=False) if args.json else results.table(found)
            print(text)
    return 0


def _say(line: str) -> None:
    print(f"growgan: {line}", file=sys.stderr)
