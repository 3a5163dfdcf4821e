"""``growgan generate``: pictures from a model, by seed."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from growgan.cli.model import PRECISIONS, add_making, add_model, load_model
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.geometry import parse_grid
from growgan.core.progress import Progress, tell
from growgan.core.text import counted

SUMMARY = "generate pictures from a model file (.onnx too), a run folder, hf://OWNER/NAME, or a shipped model"

SEEDS = "0-9"
"""Those of a command that names none."""
OTHERS = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jxl", ".avif")
"""Ends of pictures' names that no folder is likely to have."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("--seeds", metavar="S", help=f"e.g. 0-9 or 3,7,100-120 (default {SEEDS})")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="a folder, or FILE.png for a grid (default: here)"
    )
    parser.add_argument("--grid", metavar="CxR", help="one picture of CxR; further seeds fill it up")
    add_making(parser)


def run(args: argparse.Namespace) -> int:
    """Write seed0000.png, ... or one grid."""
    seeds = parse_seeds(SEEDS if args.seeds is None else args.seeds)
    shape = parse_grid(args.grid) if args.grid else None
    if not shape and args.out.suffix.lower() == ".png":
        raise ConfigError(
            f"--out {args.out}: pictures go into a folder, as seed0000.png and so on; use --grid for one file"
        )
    check_png(args.out)
    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    if shape:
        cells = shape[0] * shape[1]
        if len(seeds) > cells and args.seeds is not None:
            tell(f"note: a grid of {args.grid} leaves out {len(seeds) - cells} of {len(seeds)} seeds")
        seeds = [*seeds, *range(seeds[-1] + 1, seeds[-1] + 1 + cells - len(seeds))][:cells]

    path = args.out if not shape or args.out.suffix.lower() == ".png" else args.out / "grid.png"
    for one in (path,) if shape else (path / seed_name(seed) for seed in seeds):
        check_own(one)

    import numpy as np

    from growgan.sampling import images

    model = load_model(args.model, args.device, PRECISIONS[args.precision])
    label = model.label(args.label) if args.label is not None else None
    batches = model.batches(seeds, label=label, truncation=args.truncation, batch=args.batch)
    notes = {"model": model.file.hash, "truncation": f"{args.truncation:g}"}
    with Progress(len(seeds), "pictures") as progress:
        if shape:
            parts = []
            for pixels in batches:
                parts.append(pixels)
                progress.advance(len(pixels))
            in_a_row = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
            notes["seeds"] = f"{seeds[0]}-{seeds[-1]}" if in_a_row else ",".join(map(str, seeds))
            if shown := model.labels(seeds, label):
                notes["class"] = shown[0] if len(set(shown)) == 1 else "; ".join(shown)
            images.save_png(path, images.make_grid(np.concatenate(parts), shape[0]), notes)
        else:
            for i, picture in enumerate(picture for pixels in batches for picture in pixels):
                notes["seed"] = str(seeds[i])
                if shown := model.labels(seeds[i : i + 1], label):
                    notes["class"] = shown[0]
                images.save_png(path / seed_name(seeds[i]), images.to_picture(picture), notes)
                progress.advance()
    written = "" if shape else f"{counted(len(seeds), 'picture')}, the first {seed_name(seeds[0])}, "
    print(f"{written}by {model.describe()}", file=sys.stderr)
    print(path)
    return 0


def check_png(out: Path) -> None:
    """Raise `ConfigError` where ``--out`` is called as a picture of another kind is."""
    if out.suffix.lower() in OTHERS and not out.is_dir():
        raise ConfigError(f"--out {out}: pictures are written as .png, which is lossless")


def seed_name(seed: int) -> str:
    """What the picture of a seed is called."""
    return f"seed{seed:04d}.png"


def parse_seeds(text: str) -> list[int]:
    """Seeds from such as ``3,7,100-120``. Raises `ConfigError` for anything else."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part, re.ASCII)
        if not found:
            raise ConfigError(f"--seeds takes seeds such as 0-9 or 3,7,100-120, not {text!r}")
        first, last = found[1], found[2] or found[1]
        if max(len(first), len(last)) > 10 or int(last) >= 2**32 or int(last) - int(first) >= 10_000_000:
            raise ConfigError(f"--seeds {text[:40]!r} is out of range: at most ten million seeds, each below {2**32}")
        if int(last) < int(first):
            raise ConfigError(f"--seeds {text!r} runs backwards: put the lower number first")
        seeds.extend(range(int(first), int(last) + 1))
    return seeds
