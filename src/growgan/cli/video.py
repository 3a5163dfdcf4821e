"""``growgan video``: a walk through latent space as a film."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.cli.model import PRECISIONS, add_latents, add_making, add_model, found_latents, load_model
from growgan.cli.parsing import parse_seeds
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.geometry import parse_grid
from growgan.core.progress import Progress

SUMMARY = "make a film of a walk through latent space: .mp4, .webm, .gif, .webp, .png, or a folder of frames"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("walk.mp4"), metavar="FILE", help="the film; its suffix sets the format"
    )
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S", help="length of the film (default 20)")
    parser.add_argument("--fps", type=float, default=30.0, metavar="F", help="frames per second (default 30)")
    parser.add_argument("--grid", default="1x1", metavar="CxR", help="columns and rows of walks (default 1x1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of a random walk (default 0)")
    parser.add_argument(
        "--smoothing", type=float, default=1.0, metavar="S", help="smoothing of a random walk in seconds (default 1)"
    )
    add_latents(parser, "walk from seed to seed instead, e.g. 3,7,100-104")
    add_making(parser, sizes=True)


def run(args: argparse.Namespace) -> int:
    """Write the film."""
    columns, rows = parse_grid(args.grid)
    seeds = parse_seeds(args.seeds) if args.seeds is not None else None
    if not 0 <= args.smoothing <= 3600:
        raise ConfigError(f"--smoothing must be between 0 and 3600 seconds, not {args.smoothing:g}")
    if not 0 <= args.seed < 2**32:
        raise ConfigError(f"--seed must be between 0 and {2**32 - 1}, not {args.seed}")
    if args.seed and (seeds is not None or args.latents is not None):
        raise ConfigError("--seed is for random walks and cannot be combined with --seeds or --latents")

    from growgan.sampling import films, walks

    films.check(args.out, args.fps)
    check_own(args.out)
    count, cells = films.frames_in(args.seconds, args.fps), columns * rows
    model = load_model(args.model, args.device, PRECISIONS[args.precision])
    label = model.label(args.label) if args.label is not None else None
    size = model.shown_size(args.size)
    films.check(args.out, args.fps, count, (columns * size, rows * size))
    if args.latents is not None:
        photos, way = found_latents(args.latents, model, label)
        walk = walks.through(photos.walk(model), count, cells, model.spec)
    elif seeds is None:
        sigma = args.smoothing * args.fps
        walk = walks.smooth(count, cells, model.spec, model.distribution, seed=args.seed, sigma=sigma, label=label)
        way = {"seed": str(args.seed), "smoothing": f"{args.smoothing:g} s"}
        if args.smoothing > args.seconds / 4:
            print(f"growgan: a film of {args.seconds:g} s smoothed over {args.smoothing:g} s hardly moves; "
                  "lower --smoothing or raise --seconds", file=sys.stderr)  # fmt: skip
    else:
        keys = walks.still(seeds, model.spec, model.distribution, label=label)
        walk = walks.through(keys, count, cells, model.spec)
        way = {"seeds": ",".join(map(str, seeds))}
    notes = {"model": model.file.hash, **way, "frames": str(count), "fps": f"{args.fps:g}", "grid": args.grid}
    notes |= {"size": str(size), "truncation": f"{args.truncation:g}", "precision": args.precision}
    notes |= {"class": args.label} if args.label is not None else {}
    first = films.kept(args.out, notes)
    frames = model.frames(walk, columns=columns, size=size, truncation=args.truncation, batch=args.batch, first=first)
    with Progress(count - first, "frames") as progress:
        films.write(args.out, progress.counting(frames), args.fps, notes, first)
    print(f"by {model.describe()}", file=sys.stderr)
    print(args.out)
    return 0
