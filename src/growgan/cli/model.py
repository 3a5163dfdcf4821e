"""The argument MODEL and how its pictures are made, with the same meaning in every command."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from growgan.core.allocator import keep_memory
from growgan.core.errors import ConfigError
from growgan.core.progress import warn
from growgan.core.shipped import shipped

if TYPE_CHECKING:
    from growgan.editing.projected import Projected
    from growgan.sampling.base import BaseModel
    from growgan.sampling.latents import Label
    from growgan.sampling.model import Precision

PRECISIONS: dict[str, Precision] = {
    "float32": "float32",
    "fp32": "float32",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "auto": "auto",
}


def add_model(parser: argparse.ArgumentParser) -> None:
    """Describe MODEL."""
    parser.add_argument("model", metavar="MODEL", help=kinds())


def kinds() -> str:
    """What MODEL may be, including the names of the shipped models."""
    names = ", ".join(shipped())
    return "a model file, a run folder, hf://OWNER/NAME, or a shipped model" + (f": {names}" if names else "")


def add_making(parser: argparse.ArgumentParser, sizes: bool = False) -> None:
    """Describe how pictures are made. sizes: whether they can be shown at a size other than their own."""
    parser.add_argument("--class", dest="label", metavar="K", help="class of all pictures, by number or name")
    parser.add_argument(
        "--truncation", type=float, default=1.0, metavar="PSI", help="1 = off; lower: more typical, less varied"
    )
    if sizes:
        size = "pixels per side of each picture (default: the model's, at least 64)"
        parser.add_argument("--size", type=int, metavar="N", help=size)
    add_computing(parser)


def add_computing(parser: argparse.ArgumentParser) -> None:
    """Describe where pictures are computed, how many at once, and in which precision."""
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="pictures per batch (default 8)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda, mps or auto (default cpu)")
    parser.add_argument(
        "--precision", default="float32", choices=PRECISIONS, metavar="P", help="float32 (default), bfloat16 or auto"
    )


def add_working_device(parser: argparse.ArgumentParser) -> None:
    """Describe where long work runs: pictures are reproducible by seed on one machine only, and so made on its CPU."""
    parser.add_argument("--device", metavar="D", help="cpu, cuda, mps or auto (default: a CUDA GPU, else cpu)")


def load_model(source: str, device: str | None, precision: Precision) -> BaseModel:
    """The model, loaded without torch if its file does not need it; assumes that the process runs only this command."""
    from growgan.sampling.sources import find

    path = find(source)
    if path.suffix == ".onnx":
        from growgan.sampling.onnx_model import OnnxModel

        return OnnxModel(path, device or "cpu")

    from growgan.devices import choose_device
    from growgan.sampling.model import load

    keep_memory()
    return load(path, choose_device(device), precision)


def sheet_beside(out: Path, sheet: Path | None) -> Path:
    """The path of a .safetensors file's sheet: next to it by default. Raises `ConfigError` for impossible paths."""
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out} must end in .safetensors")
    sheet = sheet or out.with_suffix(".png")
    if sheet.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {sheet} must end in .png")
    for path in (out, sheet):
        _check_place(path)
    return sheet


def _check_place(path: Path) -> None:
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if path.is_dir() or not above.is_dir():
        raise ConfigError(f"{path} is a folder" if path.is_dir() else f"{path} cannot be written: {above} is a file")


def add_latents(parser: argparse.ArgumentParser, about: str, usual: str | None = None) -> None:
    """Describe the pictures that a command uses: seeds, with help and default, or projected photographs."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", default=usual, metavar="S", help=about)
    which.add_argument("--latents", type=Path, metavar="FILE", help="photographs from growgan project instead of seeds")


def found_latents(path: Path, model: BaseModel, label: Label | None) -> tuple[Projected, dict[str, str]]:
    """The photographs of a file, and their metadata for pictures.

    Raises `UserError`; warns on stderr if they were projected with another model.
    """
    from growgan.editing import projected

    if label is not None:
        raise ConfigError("--class applies to seeds: projected photographs keep the class they were found with")
    found = projected.read(path)
    if found.model != model.file.hash:
        told = "were projected with a different model file: unless this one is its export, pictures will not match"
        warn(f"the photographs in {path} {told}")
    return found, {"latents": file_hash(path)}


def file_hash(path: Path) -> str:
    """The beginning of a file's SHA-256, with which pictures record what they were made from."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
