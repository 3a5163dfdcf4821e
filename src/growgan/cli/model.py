"""The argument MODEL and how its pictures are made, which mean the same in every command that takes them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from growgan.core.shipped import shipped

if TYPE_CHECKING:
    from growgan.sampling.base import BaseModel

PRECISIONS = {"float32": "float32", "fp32": "float32", "bfloat16": "bfloat16", "bf16": "bfloat16", "auto": "auto"}


def add_model(parser: argparse.ArgumentParser) -> None:
    """Describe MODEL."""
    parser.add_argument("model", metavar="MODEL", help=kinds())


def kinds() -> str:
    """What MODEL may be, with the names of the models that are shipped."""
    names = ", ".join(shipped())
    return "a file, a run folder, hf://OWNER/NAME, or a shipped name" + (f": {names}" if names else "")


def add_making(parser: argparse.ArgumentParser, sizes: bool = False) -> None:
    """Describe how pictures are made. sizes: whether they can be shown at another size than their own."""
    parser.add_argument("--class", dest="label", metavar="K", help="the class, by number or name, of all pictures")
    parser.add_argument("--truncation", type=float, default=1.0, metavar="PSI", help="1 = off; lower: more usual")
    if sizes:
        size = "pixels a side of each picture (default: its own, from 64)"
        parser.add_argument("--size", type=int, metavar="N", help=size)
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures computed at once (default 8)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")
    parser.add_argument(
        "--precision", default="float32", choices=PRECISIONS, metavar="P", help="float32 (default), bfloat16 or auto"
    )


def load_model(source: str, device: str, precision: str) -> BaseModel:
    """The model, without torch where its file needs none."""
    from growgan.sampling.sources import find

    path = find(source)
    if path.suffix == ".onnx":
        from growgan.sampling.onnx_model import OnnxModel

        return OnnxModel(path, device)

    from growgan.devices import choose_device
    from growgan.sampling.model import load

    return load(path, choose_device(device), precision)
