"""``growgan import``: convert another program's model file to one of ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.core.errors import ModelError

SUMMARY = "convert another program's networks to a model file (docs/importing.md)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("source", type=Path, metavar="SRC", help="a file of a supported program")
    parser.add_argument("out", type=Path, metavar="OUT.safetensors", help="the model file to write")
    parser.add_argument("--swap-colours", action="store_true", help="for networks that output blue, green, red")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")


def run(args: argparse.Namespace) -> int:
    """Write the model file, and print what was found."""
    if args.out.suffix != ".safetensors":
        raise ModelError(f"OUT must end in .safetensors, not {args.out}")
    if args.out.exists() and not args.overwrite:
        raise ModelError(f"{args.out} already exists; use --overwrite to replace it")

    from growgan.models.foreign.kinds import is_foreign
    from growgan.models.foreign.opening import open_foreign
    from growgan.models.native import save_model

    if args.source.is_file() and not is_foreign(args.source):
        raise ModelError(f"{args.source} is not a file of a supported program")
    file = open_foreign(args.source, args.swap_colours)
    networks = {name: file.network(name) for name in file.states}
    save_model(args.out, networks, training=file.training, card=file.card)
    spec, training = file.spec, file.training
    reached = f"reached {training['resolution']}, alpha {training['alpha']:g}"
    labels = f", {spec.num_labels} labels" if spec.num_labels else ""
    print(
        f"{file.origin}: {', '.join(networks)} of {spec.resolution}x{spec.resolution}{labels}; {reached}",
        file=sys.stderr,
    )
    for remark in file.remarks:
        print(f"note: {remark}", file=sys.stderr)
    print(args.out)
    return 0
