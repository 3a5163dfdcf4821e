"""``growgan directions``: along which directions of latent space a model's pictures change, and in what."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from growgan.cli.generate import parse_seeds
from growgan.cli.model import add_model
from growgan.core.errors import ConfigError

SUMMARY = "find directions along which a model's pictures change in one respect, for growgan edit"
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("directions.safetensors"), metavar="FILE", help="(directions.safetensors)"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="what each changes (default: beside --out)")
    parser.add_argument("--count", type=int, default=8, metavar="K", help="directions without --labels (default 8)")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE.csv", help="what you say of some seeds: seed,NAME,... a line each"
    )
    parser.add_argument("--without", metavar="NAMES", help="free the others of what they share with these")
    parser.add_argument("--seeds", default="0-2", metavar="S", help="shown on the sheet (default 0-2)")
    parser.add_argument("--reach", type=float, default=0.6, metavar="A", help="how far it goes to both sides (0.6)")
    parser.add_argument("--class", dest="label", metavar="K", help="the class, by number or name, of all pictures")
    parser.add_argument("--truncation", type=float, default=0.8, metavar="PSI", help="of the sheet (default 0.8)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")


def run(args: argparse.Namespace) -> int:
    """Write the file and the sheet, and print a table."""
    seeds = parse_seeds(args.seeds)
    sheet_path = args.sheet or args.out.with_suffix(".png")
    if sheet_path.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {sheet_path} should end in .png")
    if args.out.suffix != ".safetensors":
        raise ConfigError(f"--out {args.out} should end in .safetensors")
    if not 0 < args.reach <= 10:
        raise ConfigError(f"--reach must be above 0 and at most 10, not {args.reach:g}")
    said = read_labels(args.labels) if args.labels is not None else None

    from growgan.cli.generate import load_model
    from growgan.editing import directions, sheet
    from growgan.sampling.images import save_png

    model = load_model(args.model, args.device, "float32")
    label = model.label(args.label) if args.label is not None else None
    found = directions.of_labels(model, said) if said else directions.of_weights(model, args.count)
    if args.without is not None:
        found = directions.without(found, [name.strip() for name in args.without.split(",")])
    drawn = sheet.draw(model, found, seeds, args.reach, label=label, truncation=args.truncation)
    directions.save(args.out, found)
    save_png(sheet_path, drawn, {"model": model.file.hash, "seeds": args.seeds, "reach": f"{args.reach:g}"})
    print(f"direction  {'predicted' if said else 'weight'}")
    for name, weight in zip(found.names, found.weights):
        print(f"{name:<9}  {weight:.2f}")
    print(args.out)
    print(sheet_path)
    return 0


def read_labels(path: Path) -> dict[str, dict[int, float]]:
    """Name -> seed -> value of a table ``seed,NAME,...``; empty cells say nothing. Raises `ConfigError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--labels {path} cannot be read: {error}") from error
    names = [name for name in (rows[0] if rows else {}) if name and name != "seed"]
    if not rows or "seed" not in rows[0] or not names:
        raise ConfigError(f"--labels {path} wants a first line seed,NAME,... and a line for each seed")
    found: dict[str, dict[int, float]] = {name: {} for name in names}
    for number, row in enumerate(rows, 2):
        (seed,) = parse_seeds(row["seed"] or "?") if (row["seed"] or "").isdecimal() else (None,)
        if seed is None:
            raise ConfigError(f"--labels {path}, line {number}: {row['seed']!r} is not a seed")
        for name in names:
            text = (row[name] or "").strip().lower()
            try:
                if text:
                    found[name][seed] = WORDS[text] if text in WORDS else _finite(text)
            except ValueError:
                raise ConfigError(f"--labels {path}, line {number}: {text!r} is not a number, yes or no") from None
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(text)
    return value
