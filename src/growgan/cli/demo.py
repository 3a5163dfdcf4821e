"""``growgan demo``: all steps in a few minutes, on pictures that come with the package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.core.errors import ConfigError
from growgan.core.shipped import shipped

SUMMARY = "train on bundled synthetic faces at 32x32, offline, in a few minutes"

PRESET = "laptop"
SETTINGS = (
    ("network.resolution", "32"),
    ("network.fmap_base", "256"),
    ("network.fmap_max", "64"),
    ("schedule.training_kimg", "30,4:7,8:5,16:5"),
    ("schedule.transition_kimg", "5,8:3,16:3"),
    ("schedule.total_kimg", "50"),
    ("schedule.tick_kimg", "5"),
    ("snapshots.image_ticks", "2"),
    ("loss.name", "logistic"),
    ("loss.r1_interval", "16"),
    ("loss.r1_gamma", "0.02,4:0.005,8:0.005,16:0.01"),
    ("optim.g_lr", "0.003"),
    ("optim.d_lr", "0.003"),
    ("optim.ema_kimg", "1.5"),
    ("data.labels", "false"),
    ("snapshots.measure", "none"),
)
"""A network and a schedule that give visible results within minutes; lengths are scaled to the machine."""
MINUTES = 5.0
GRID = 8, 4
"""Columns and rows of pictures for each shipped model."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="the run folder (default: demo)")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, metavar="M", help=f"training time (default {MINUTES:g})"
    )


def run(args: argparse.Namespace) -> int:
    """Train up to 32x32, then make a grid, a growth strip, a plot of the losses, and grids of the shipped models."""
    if not args.minutes > 0:
        raise ConfigError(f"--minutes must be above 0, not {args.minutes:g}")
    from growgan.demo import working_copy
    from growgan.training import job, plots
    from growgan.training.request import Request

    hours = args.minutes / 60
    request = Request(data=working_copy(), out=args.out, preset=PRESET, overrides=SETTINGS, hours=hours)
    prepared = job.prepare(request)
    with prepared.dataset:
        outcome = job.train(prepared)
    if not outcome.ended:
        print(f"stopped and saved; run growgan demo --out {args.out} to resume", file=sys.stderr)
        return 128 + (outcome.signal or 0)
    made = {
        "training pictures": args.out / "reals.png",
        "generated pictures": prepared.run.grids()[-1],
        "the same latents, from 4x4 to 32x32": plots.draw_growth(prepared.run, args.out / "growth.png"),
        "losses": plots.draw_losses(prepared.run, args.out / "losses.png"),
    }
    for name in shipped():
        made[f"pictures from the shipped model {name}"] = _draw(name, args.out / f"{name}.png")
    for what, path in made.items():
        print(f"{what}: {path}")
    return 0


def _draw(name: str, out: Path) -> Path:
    """Pictures by a shipped model."""
    import numpy as np

    from growgan.sampling import images
    from growgan.sampling.model import load

    columns, rows = GRID
    images.save_png(out, images.make_grid(np.concatenate(list(load(name).batches(range(columns * rows)))), columns))
    return out
