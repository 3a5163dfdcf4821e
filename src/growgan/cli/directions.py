"""``growgan directions``: the directions of latent space along which a model's pictures change, and how."""

from __future__ import annotations

import argparse
from pathlib import Path

from growgan.cli.model import add_model, load_model, sheet_beside
from growgan.cli.parsing import parse_seeds
from growgan.core.errors import ConfigError
from growgan.core.files import check_own

SUMMARY = "find latent directions that each change one aspect of a model's pictures, for growgan edit"
COUNT = 8
MEANS_WEIGHT = "weight: how strongly the first layer reacts to it; 1 is usual"
MEANS_PREDICTED = (
    "predicted: how much of the labels' variance it explains; near 0, none: docs/editing.md says what chance gives"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("directions.safetensors"),
        metavar="FILE",
        help="(default directions.safetensors)",
    )
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="sheet showing each direction (default: next to --out)"
    )
    parser.add_argument("--count", type=int, metavar="K", help="number of directions, without --labels (default 8)")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE.csv", help="your labels for some seeds: lines of seed,NAME,..."
    )
    parser.add_argument("--without", metavar="NAMES", help="remove these directions' component from the others")
    parser.add_argument("--seeds", default="0-2", metavar="S", help="seeds shown on the sheet (default 0-2)")
    parser.add_argument(
        "--reach", type=float, default=0.6, metavar="A", help="how far the sheet moves either way (default 0.6)"
    )
    parser.add_argument("--class", dest="label", metavar="K", help="class of all pictures, by number or name")
    parser.add_argument(
        "--truncation", type=float, default=0.8, metavar="PSI", help="truncation on the sheet (default 0.8)"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Write the file and the sheet, and print a table. Invalid arguments are reported before pictures are made."""
    from growgan.editing.moves import FURTHEST

    seeds = parse_seeds(args.seeds)
    sheet_path = sheet_beside(args.out, args.sheet)
    if not 0 < args.reach <= FURTHEST:
        raise ConfigError(f"--reach must be above 0 and at most {FURTHEST:g}, not {args.reach:g}")
    if args.labels is not None and args.count is not None:
        raise ConfigError("--count applies without --labels: each column of labels gives one direction")

    from growgan.editing import directions, sheet
    from growgan.editing.seed_labels import read_seed_labels
    from growgan.sampling.images import save_png

    check_own(sheet_path, "--sheet")
    if args.out.exists():
        directions.read(args.out)  # else it is some other file of the user, such as a model
    said = read_seed_labels(args.labels) if args.labels is not None else None
    model = load_model(args.model, args.device, "float32")
    label = model.label(args.label) if args.label is not None else None
    count = COUNT if args.count is None else args.count
    found = directions.of_weights(model, count) if said is None else directions.of_labels(model, said)
    if args.without is not None:
        found = directions.without(found, [name.strip() for name in args.without.split(",")])
    drawn = sheet.draw(model, found, seeds, args.reach, label=label, truncation=args.truncation)
    save_png(sheet_path, drawn, {"model": model.file.hash, "seeds": args.seeds, "reach": f"{args.reach:g}"})
    directions.save(args.out, found)
    width = max(9, *(len(name) for name in found.names))
    print(f"{'direction':<{width}}  " + ("weight" if said is None else "predicted  labels"))
    for name, weight in zip(found.names, found.weights):
        print(f"{name:<{width}}  {weight:.2f}" + ("" if said is None else f"       {len(said[name])}"))
    print(f"({MEANS_WEIGHT if said is None else MEANS_PREDICTED})")
    print(args.out)
    print(sheet_path)
    return 0
