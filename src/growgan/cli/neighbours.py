"""``growgan neighbours``: the training pictures nearest to generated ones."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from growgan.cli.model import add_model, add_working_device
from growgan.cli.parsing import parse_crop, parse_seeds
from growgan.core.allocator import keep_memory
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.progress import Progress

SUMMARY = "find the training pictures nearest to generated ones, to check for memorisation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("--data", type=Path, required=True, metavar="SET", help="the pictures the model was trained on")
    parser.add_argument("--held-out", type=Path, metavar="SET", help="pictures it was not trained on, for comparison")
    parser.add_argument("--seeds", default="0-31", metavar="S", help="e.g. 0-9 or 3,7,100-120 (default 0-31)")
    parser.add_argument(
        "--space",
        default="pixel",
        metavar="NAME",
        help="where distances are measured: pixel (default), inception or vgg",
    )
    parser.add_argument("--count", type=int, default=5, metavar="K", help="neighbours per picture (default 5)")
    parser.add_argument(
        "--crop", type=parse_crop, metavar="L,T,R,B", help="the part to compare (default 0.2,0.2,0.8,0.8)"
    )
    parser.add_argument(
        "--truncation", type=float, default=1.0, metavar="PSI", help="1 = off; lower: more typical, less varied"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("neighbours.png"),
        metavar="FILE.png",
        help="the sheet (default neighbours.png)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="Inception weights, a TorchScript file")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-16 weights, a TorchScript file")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="pictures per batch (default 16)")
    add_working_device(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the sheet, and print the table."""
    seeds = parse_seeds(args.seeds)
    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    if args.out.suffix.lower() != ".png":
        raise ConfigError(f"--out {args.out} must end in .png")
    check_own(args.out)

    from growgan.devices import choose_device
    from growgan.evaluation import neighbour_sheet
    from growgan.evaluation.evaluate import Settings
    from growgan.evaluation.neighbours import CENTRE, Question, find_neighbours
    from growgan.sampling.images import save_png

    keep_memory()
    question = Question(
        model=args.model,
        data=args.data,
        held_out=args.held_out,
        seeds=seeds,
        space=args.space,
        count=args.count,
        crop=args.crop or CENTRE,
        truncation=args.truncation,
    )
    settings = Settings(inception=args.inception, vgg=args.vgg, batch=args.batch, device=choose_device(args.device))
    answer = find_neighbours(question, settings, Progress, lambda line: print(f"growgan: {line}", file=sys.stderr))
    with answer.dataset:
        save_png(args.out, neighbour_sheet.draw(answer), {"model": answer.model.hash, "seeds": args.seeds})
        if args.json:
            print(json.dumps(neighbour_sheet.to_json(answer), indent=2))
        else:
            print(neighbour_sheet.table(answer))
    print(args.out, file=sys.stderr)
    return 0
