"""``growgan generate``: pictures from a model, by seed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.model import PRECISIONS, add_making, add_model, load_model
from growgan.cli.parsing import check_png, parse_seeds
from growgan.core.errors import ConfigError
from growgan.core.files import check_own
from growgan.core.geometry import parse_grid
from growgan.core.progress import Progress, tell
from growgan.core.text import counted

if TYPE_CHECKING:
    from growgan.sampling.base import BaseModel
    from growgan.sampling.latents import Label

SUMMARY = "generate pictures from a model file (.onnx too), a run folder, hf://OWNER/NAME, or a shipped model"

SEEDS = "0-9"
"""Default of ``--seeds``."""


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
    is_png = args.out.suffix.lower() == ".png"
    if not shape and is_png:
        raise ConfigError(
            f"--out {args.out}: pictures go into a folder, as seed0000.png and so on; use --grid for one file"
        )
    check_png(args.out)
    if args.batch < 1:
        raise ConfigError(f"--batch must be at least 1, not {args.batch}")
    if shape:
        seeds = _filling(seeds, shape[0] * shape[1], args)
    path = args.out if not shape or is_png else args.out / "grid.png"
    for one in (path,) if shape else (path / seed_name(seed) for seed in seeds):
        check_own(one)

    model = load_model(args.model, args.device, PRECISIONS[args.precision])
    label = model.label(args.label) if args.label is not None else None
    if shape:
        _write_grid(path, model, seeds, label, shape[0], args)
    else:
        _write_each(path, model, seeds, label, args)
    written = "" if shape else f"{counted(len(seeds), 'picture')}, the first {seed_name(seeds[0])}, "
    print(f"{written}by {model.describe()}", file=sys.stderr)
    print(path)
    return 0


def _filling(seeds: list[int], cells: int, args: argparse.Namespace) -> list[int]:
    """As many seeds as a grid has cells."""
    if len(seeds) > cells and args.seeds is not None:
        tell(f"note: a grid of {args.grid} leaves out {len(seeds) - cells} of {len(seeds)} seeds")
    return [*seeds, *range(seeds[-1] + 1, seeds[-1] + 1 + cells - len(seeds))][:cells]


def _write_grid(
    path: Path, model: BaseModel, seeds: list[int], label: Label | None, columns: int, args: argparse.Namespace
) -> None:
    import numpy as np

    from growgan.sampling import images

    parts = []
    with Progress(len(seeds), "pictures") as progress:
        for pixels in model.batches(seeds, label=label, truncation=args.truncation, batch=args.batch):
            parts.append(pixels)
            progress.advance(len(pixels))
    notes = _notes(model, args)
    in_a_row = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    notes["seeds"] = f"{seeds[0]}-{seeds[-1]}" if in_a_row else ",".join(map(str, seeds))
    if shown := model.labels(seeds, label):
        notes["class"] = shown[0] if len(set(shown)) == 1 else "; ".join(shown)
    images.save_png(path, images.make_grid(np.concatenate(parts), columns), notes)


def _write_each(
    folder: Path, model: BaseModel, seeds: list[int], label: Label | None, args: argparse.Namespace
) -> None:
    from growgan.sampling import images

    batches = model.batches(seeds, label=label, truncation=args.truncation, batch=args.batch)
    with Progress(len(seeds), "pictures") as progress:
        for seed, picture in zip(seeds, (picture for pixels in batches for picture in pixels), strict=True):
            notes = _notes(model, args) | {"seed": str(seed)}
            if shown := model.labels([seed], label):
                notes["class"] = shown[0]
            images.save_png(folder / seed_name(seed), images.to_picture(picture), notes)
            progress.advance()


def _notes(model: BaseModel, args: argparse.Namespace) -> dict[str, str]:
    return {"model": model.file.hash, "truncation": f"{args.truncation:g}"}


def seed_name(seed: int) -> str:
    """The file name of a seed's picture."""
    return f"seed{seed:04d}.png"
