"""The pictures in the README and the docs, each made by one command.

python scripts/figures.py grid MODEL OUT.png [--shape 16x9] [--truncation 0.7]
python scripts/figures.py growth RUN OUT.png             the same latents at every size, from a run's milestones
python scripts/figures.py curves RUN OUT.png [FILE ...]  measures over images and hours; FILEs of growgan evaluate
python scripts/figures.py losses RUN OUT.png
python scripts/figures.py change BEFORE AFTER OUT.png    the same seeds before and after `growgan train --from`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from growgan.core.errors import ConfigError, UserError, say
from growgan.core.files import check_own
from growgan.core.geometry import parse_grid
from growgan.core.runfiles import RunFiles
from growgan.evaluation.curves import draw_measures
from growgan.sampling.images import make_grid, save_png
from growgan.sampling.model import load
from growgan.training import plots

HEADING = 24


def grid(args: argparse.Namespace) -> None:
    """Pictures of the first seeds side by side; --classes: a row for each class, of the same seeds."""
    model = load(args.model)
    columns, rows = parse_grid(args.shape)
    if args.classes:
        labels = range(model.spec.num_labels)
        made = [model.batches(range(columns), label=k, truncation=args.truncation) for k in labels]
        parts = [pixels for batches in made for pixels in batches]
    else:
        parts = list(model.batches(range(columns * rows), truncation=args.truncation))
    notes = {"model": model.file.hash, "truncation": f"{args.truncation:g}"}
    save_png(args.out, make_grid(np.concatenate(parts), columns), notes)


def growth(args: argparse.Namespace) -> None:
    """A row for each stage of a run."""
    plots.draw_growth(RunFiles(args.run), args.out)


def curves(args: argparse.Namespace) -> None:
    """Measures over images and hours."""
    draw_measures(RunFiles(args.run), args.out, args.files)


def losses(args: argparse.Namespace) -> None:
    """Losses over images."""
    plots.draw_losses(RunFiles(args.run), args.out)


def change(args: argparse.Namespace) -> None:
    """Two bands, of one model each: the same seeds before and after it was trained on."""
    models = [load(source) for source in (args.before, args.after)]
    size = max(model.resolution for model in models)
    columns, rows = parse_grid(args.shape)
    if len({model.spec.channels for model in models}) > 1:
        raise ConfigError(
            f"{args.before} and {args.after} make pictures with different channels and cannot be compared"
        )
    bands = [
        make_grid(np.concatenate(list(model.batches(range(columns * rows)))), columns, max(size, 64)).convert("RGB")
        for model in models
    ]
    width, height = max(band.width for band in bands), sum(band.height + HEADING for band in bands)
    sheet, top = Image.new("RGB", (width, height), "#ffffff"), 0
    pen = ImageDraw.Draw(sheet)
    for band, title in zip(bands, ("before", "after")):
        pen.text((4, top + 4), title, "#202020", ImageFont.load_default(15))
        sheet.paste(band, (0, top + HEADING))
        top += HEADING + band.height
    save_png(args.out, sheet, {"before": models[0].file.hash, "after": models[1].file.hash})


def main() -> int:
    """Draw one figure."""
    parser = argparse.ArgumentParser(description="Draw a picture for the README or the docs.")
    commands = parser.add_subparsers(required=True)
    for draw, places in (
        (grid, ["model"]),
        (growth, ["run"]),
        (curves, ["run"]),
        (losses, ["run"]),
        (change, ["before", "after"]),
    ):
        command = commands.add_parser(draw.__name__, help=draw.__doc__, description=draw.__doc__)
        command.set_defaults(draw=draw)
        for place in places:
            command.add_argument(place, type=Path if place == "run" else str)
        command.add_argument("out", type=Path)
        if draw is curves:
            command.add_argument("files", type=Path, nargs="*")
        if draw in (grid, change):
            command.add_argument("--shape", default="16x9" if draw is grid else "12x3", metavar="CxR")
        if draw is grid:
            command.add_argument("--classes", action="store_true", help="one row per class")
            command.add_argument("--truncation", type=float, default=1.0, metavar="PSI")
    args = parser.parse_args()
    try:
        check_own(args.out, "OUT")
        args.draw(args)
    except UserError as error:
        return say(error)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
