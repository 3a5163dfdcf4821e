"""``growgan generate``: pictures from a model, by seed."""

from __future__ import annotations

import argparse
from pathlib import Path

from growgan.core.errors import ConfigError
from growgan.core.progress import Progress

SUMMARY = "make pictures from a model: a file, a run folder, or the name of a shipped model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("model", metavar="MODEL", help="a model file, a run folder, or a shipped model's name")
    parser.add_argument("--seeds", default="0-9", metavar="S", help="such as 0-9 or 3,7,100-120 (default 0-9)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: here)")
    parser.add_argument("--grid", metavar="CxR", help="one picture of C columns and R rows, from the first seed on")
    parser.add_argument("--class", dest="label", metavar="K", help="the class, by number or name, of all pictures")
    parser.add_argument("--truncation", type=float, default=1.0, metavar="PSI", help="1 = off; lower: more usual")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures computed at once (default 8)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Write seed0000.png, ... or one grid."""
    seeds = parse_seeds(args.seeds)
    shape = parse_grid(args.grid) if args.grid else None
    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    if shape:
        seeds = list(range(seeds[0], seeds[0] + shape[0] * shape[1]))

    import numpy as np

    from growgan.devices import choose_device
    from growgan.sampling import images
    from growgan.sampling.model import load

    model = load(args.model, choose_device(args.device))
    label = model.label(args.label) if args.label is not None else None
    batches = model.batches(seeds, label=label, truncation=args.truncation, batch=args.batch)
    notes = {"model": model.file.hash, "truncation": f"{args.truncation:g}"}
    shown = model.labels(seeds, label)
    with Progress(len(seeds), "pictures") as progress:
        if shape:
            parts = []
            for pixels in batches:
                parts.append(pixels)
                progress.advance(len(pixels))
            path = args.out if args.out.suffix == ".png" else args.out / "grid.png"
            notes["seeds"] = f"{seeds[0]}-{seeds[-1]}"
            if shown:
                notes["class"] = shown[0] if len(set(shown)) == 1 else "; ".join(shown)
            images.save_png(path, images.make_grid(np.concatenate(parts), shape[0]), notes)
        else:
            path = args.out
            for i, picture in enumerate(picture for pixels in batches for picture in pixels):
                notes["seed"] = str(seeds[i])
                if shown:
                    notes["class"] = shown[i]
                images.save_png(path / f"seed{seeds[i]:04d}.png", images.to_picture(picture), notes)
                progress.advance()
    print(path)
    return 0


def parse_seeds(text: str) -> list[int]:
    """Seeds from such as ``3,7,100-120``. Raises `ConfigError` for anything else."""
    seeds: list[int] = []
    for part in text.split(","):
        first, separator, last = part.strip().partition("-")
        if not first.isdigit() or (separator and not last.isdigit()):
            raise ConfigError(f"--seeds wants such as 0-9 or 3,7,100-120, not {text!r}")
        numbers = range(int(first), int(last if separator else first) + 1)
        if len(numbers) > 10_000_000 or int(last or first) >= 2**32:
            raise ConfigError(f"--seeds {text!r} is too much: at most ten million, each below {2**32}")
        seeds.extend(numbers)
    if not seeds:
        raise ConfigError(f"--seeds {text!r} names no seed")
    return seeds


def parse_grid(text: str) -> tuple[int, int]:
    """Columns and rows from such as ``8x4``. Raises `ConfigError` for anything else."""
    columns, _, rows = text.lower().partition("x")
    if not (columns.isdigit() and rows.isdigit() and int(columns) and int(rows)):
        raise ConfigError(f"--grid wants columns and rows such as 8x4, not {text!r}")
    if int(columns) * int(rows) > 100_000:
        raise ConfigError(f"--grid {text!r} is too large")
    return int(columns), int(rows)
