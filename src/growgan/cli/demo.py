"""``growgan demo``: the whole way in a few minutes, on pictures that come with the package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.core.errors import ConfigError

SUMMARY = "train on embedded pictures at 32x32, offline, in a few minutes"

PRESET = "laptop"
SETTINGS = (
    ("network.fmap_base", "256"),
    ("network.fmap_max", "64"),
    ("schedule.training_kimg", "30,4:7,8:5,16:5"),
    ("schedule.transition_kimg", "5,8:3,16:3"),
    ("schedule.total_kimg", "50"),
    ("schedule.tick_kimg", "2"),
    ("optim.g_lr", "0.003"),
    ("optim.d_lr", "0.003"),
    ("optim.ema_kimg", "1.5"),
    ("data.labels", "false"),
    ("snapshots.measure", "none"),
)
"""A network and a schedule that show something within minutes; the lengths are scaled to the machine."""
MINUTES = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="the run folder (default: demo)")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, metavar="M", help=f"time to train for (default {MINUTES:g})"
    )


def run(args: argparse.Namespace) -> int:
    """Train 4, 8, 16, 32, and end with a grid, a growth strip and a plot of the losses."""
    if not args.minutes > 0:
        raise ConfigError(f"--minutes must be above 0, not {args.minutes:g}")
    from growgan.demo import working_copy
    from growgan.training import job, plots
    from growgan.training.request import Request

    request = Request(data=working_copy(), out=args.out, preset=PRESET, overrides=SETTINGS)
    planned = job.plan(request)
    with planned.dataset:
        outcome = job.work(planned, args.minutes / 60)
    if not outcome.ended:
        print(f"stopped and saved; growgan demo --out {args.out} goes on from there", file=sys.stderr)
        return 128 + (outcome.signal or 0)
    made = {
        "pictures of the data": args.out / "reals.png",
        "pictures that nobody took": planned.run.grids()[-1],
        "the same latents from 4x4 to 32x32": plots.draw_growth(planned.run, args.out / "growth.png"),
        "losses": plots.draw_losses(planned.run, args.out / "losses.png"),
    }
    for what, path in made.items():
        print(f"{what}: {path}")
    return 0
