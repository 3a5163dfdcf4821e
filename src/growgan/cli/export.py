"""``growgan export``: a model in a form for sharing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.cli.model import add_model
from growgan.core.errors import ConfigError

if TYPE_CHECKING:
    from growgan.sharing.export import Subject

SUMMARY = "export a model: smaller (.safetensors), for onnxruntime (.onnx) or for plain PyTorch (.pt2)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    add_model(parser)
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; its suffix sets the format")
    parser.add_argument("--resolution", type=int, metavar="N", help=".onnx, .pt2: a smaller picture size")
    parser.add_argument("--only", choices=["G_ema"], metavar="G_ema", help=".safetensors: leave out D")
    parser.add_argument("--precision", metavar="P", help="float16 (default for .safetensors) or float32")
    add_card_arguments(parser)


def add_card_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the card's fields."""
    parser.add_argument("--license", metavar="ID", help="licence of the weights, such as cc-by-nc-4.0")
    parser.add_argument("--title", metavar="TEXT", help="the model's name")
    parser.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FIELD=TEXT",
        help="also author, data, intended_use, limits, notes; repeatable",
    )
    parser.add_argument(
        "--measures", type=Path, metavar="FILE", help="results of growgan evaluate for this file (default: the run's)"
    )


def card_texts(args: argparse.Namespace) -> list[str]:
    """The card's fields as FIELD=TEXT."""
    return [
        *(f"{name}={text}" for name in ("license", "title") if (text := getattr(args, name)) is not None),
        *args.card,
    ]


def remind(subject: Subject) -> None:
    """Print the licence of the model, and of the one it started from, if the card now gives another."""
    file, said = subject.model.file, subject.card.get("license")
    parent = file.training.get("parent", {})
    began = f"its parent {parent.get('model')}"
    for what, terms in (("it", file.card.get("license")), (began, parent.get("license"))):
        if terms and terms != said:
            print(f"note: {what} is licensed: {terms}", file=sys.stderr)


def parse_precision(text: str | None) -> bool | None:
    """Whether weights should be float16; None if not given. Raises `ConfigError`."""
    if text not in (None, "float16", "float32"):
        raise ConfigError(f"--precision must be float16 or float32, not {text!r}")
    return None if text is None else text == "float16"


def run(args: argparse.Namespace) -> int:
    """Write the file, and print how it was verified."""
    half = parse_precision(args.precision)

    from growgan.sharing.export import export, open_subject

    subject = open_subject(args.model, card_texts(args), args.measures)
    tried = export(subject, args.out, resolution=args.resolution, only=args.only, half=half)
    print(f"exported {subject.model.describe()}: {tried}", file=sys.stderr)
    remind(subject)
    print(args.out)
    return 0
