"""``growgan edit``: pictures moved along directions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.generate import check_png, parse_seeds
from growgan.cli.model import PRECISIONS, add_latents, add_making, add_model, found_latents, load_model
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.progress import Progress

if TYPE_CHECKING:
    from growgan.sampling.walks import Walk

TOGETHER = 1000
"""Latents moved together."""
SUMMARY = "edit pictures by moving their latents along directions (growgan directions)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument(
        "--move", required=True, metavar="NAME:A,...", help="directions and how far, e.g. 2:0.5 or smile:0.4,1:-0.3"
    )
    parser.add_argument(
        "--directions", type=Path, metavar="FILE", help="from growgan directions (default: the model's own, by number)"
    )
    add_latents(parser, "e.g. 0-3 or 3,7,100-120 (default 0-3)", usual="0-3")
    parser.add_argument(
        "--out", type=Path, default=Path("edit.png"), metavar="FILE", help=".png: the edit in steps; .mp4, .gif, ...: "
        "a film there and back; folder: the edited pictures (default edit.png)"
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="steps of the edit, for .png (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="length of the film (default 4)")
    parser.add_argument("--fps", type=float, default=30.0, metavar="F", help="frames per second (default 30)")
    add_making(parser, sizes=True)


def run(args: argparse.Namespace) -> int:
    """Write a sheet, a film or pictures."""
    from growgan.editing.moves import parse

    seeds, moves = parse_seeds(args.seeds), parse(args.move)
    kind = args.out.suffix.lower()
    if args.steps < 2:
        raise ConfigError(f"--steps must be at least 2, not {args.steps}")

    import numpy as np

    from growgan.editing import directions, sheet
    from growgan.sampling import films, walks
    from growgan.sampling.images import save_png

    if kind not in films.STILLS:
        check_png(args.out)
    films.check(args.out, args.fps)
    check_own(args.out)
    frames = films.frames_in(args.seconds, args.fps)
    found = directions.read(args.directions) if args.directions is not None else None
    model = load_model(args.model, args.device, PRECISIONS[args.precision])
    label = model.label(args.label) if args.label is not None else None
    if found is None:
        found = directions.of_weights(model, model.spec.z_size)
    elif found.model != model.file.hash:
        print(f"growgan: {args.directions} was made from a different model file", file=sys.stderr)
    photos, of = None, {"seeds": args.seeds}
    if args.latents is not None:
        photos, of = found_latents(args.latents, model, label)
    numbers = [*range(len(photos.names))] if photos is not None else seeds

    def origin(some: slice) -> Walk:
        """Some of the pictures, as they are."""
        if photos is not None:
            return photos.walk(model).cells(some)
        return walks.still(seeds[some], model.spec, model.distribution, label=label)

    size, columns = model.shown_size(args.size), min(len(numbers), 8)
    shown = {"size": size, "truncation": args.truncation, "batch": args.batch}
    notes = {"model": model.file.hash, "move": args.move, "directions": f"{found.method} of {found.model}"}
    notes |= {"truncation": f"{args.truncation:g}", "size": str(size), "precision": args.precision}
    if kind == ".png":
        films.check(args.out, args.fps, 1, (args.steps * size, len(numbers) * size))
        way = [sheet.part(moves, t) for t in np.linspace(0, 1, args.steps)]
        walk = sheet.edit(sheet.moved(model, found, way, origin(slice(None))))
        (picture,) = model.frames(walk, columns=args.steps, **shown)
        save_png(args.out, picture, notes | of)
    elif kind:
        films.check(args.out, args.fps, frames, (columns * size, -(-len(numbers) // columns) * size))
        walk = sheet.moved(model, found, sheet.there_and_back(moves, frames), origin(slice(None)))
        with Progress(frames, "frames") as progress:
            made = progress.counting(model.frames(walk, columns=columns, **shown))
            films.write(args.out, made, args.fps, notes | of)
    else:
        what = "photo" if photos is not None else "seed"
        places = {number: args.out / f"{what}{number:04d}.png" for number in numbers}
        for place in places.values():
            check_own(place)
        with Progress(len(numbers), "pictures") as progress:
            for start in range(0, len(numbers), TOGETHER):
                some = slice(start, start + TOGETHER)
                walk = sheet.apart(sheet.moved(model, found, [moves], origin(some)))
                words = model.words(walk.labels[:, 0] if walk.labels is not None else None) or [""] * len(walk.z)
                pictures = progress.counting(model.frames(walk, **shown))
                for number, name, picture in zip(numbers[some], words, pictures):
                    told = notes | {what: str(number)} | ({"class": name} if name else {})
                    told |= of | {"photograph": photos.names[number]} if photos is not None else {}
                    save_png(places[number], picture, told)
    print(f"by {model.describe()}", file=sys.stderr)
    print(args.out)
    return 0
