"""Inspects a model file without loading it: description, layers and costs, from the header alone.

Every number comes from the names and shapes of the stored weights, so that it also holds for variants and imported
networks. Neither torch nor the weights are loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from growgan.core.errors import ModelError
from growgan.core.geometry import LOWEST
from growgan.models.description import DescribedFile, read_metadata, unreadable

NETWORKS = ("G_ema", "G", "D")
WEIGHT = re.compile(r"(G_ema|G|D)\.((\d+)x\3\.\w+)\.weight", re.ASCII)
LAYERS = ("fromrgb", "dense", "conv", "conv0", "conv1", "dense0", "dense1", "torgb")
"""Kinds of layers, in the order in which a stage runs them."""


@dataclass(frozen=True)
class Layer:
    """A row of the paper's table 2."""

    name: str
    """Stage and layer, such as ``8x8.conv0``."""
    weight: list[int]
    """Shape of the stored weight."""
    output: list[int]
    """Shape of its output for one picture, after resampling."""
    parameters: int
    """Weights and biases."""
    flops: float
    """Multiply-adds times two for one picture, with resampling not fused."""
    used: bool
    """Whether it is in use at the resolution that the model has reached."""


@dataclass(frozen=True)
class Inspected:
    """The contents of a model file."""

    file: DescribedFile
    bytes: int
    dtypes: list[str]
    """Types of the stored tensors, as safetensors names them: F16, F32."""
    truncation: bool
    """Whether it holds the truncation mean."""
    networks: dict[str, list[Layer]]
    """Layers of those of G_ema, G and D that are present, in the order in which they run."""


def inspect(path: Path) -> Inspected:
    """Inspect a .safetensors model file. Raises `ModelError` if it is not one, or is truncated."""
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    try:
        with safe_open(path, framework="np") as opened:
            metadata = opened.metadata() or {}
            stored = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            shapes = {name: list(part.get_shape()) for name, part in stored.items()}
            dtypes = sorted({part.get_dtype() for part in stored.values()})
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from error
    return inspected(DescribedFile(path, **read_metadata(path, metadata)), shapes, dtypes)


def inspected(file: DescribedFile, shapes: dict[str, list[int]], dtypes: list[str]) -> Inspected:
    """The contents of a file whose tensors, named as in a .safetensors file, have these shapes."""
    networks = {network: list(_layers(network, shapes, file)) for network in NETWORKS}
    found = {network: layers for network, layers in networks.items() if layers}
    return Inspected(file, file.path.stat().st_size, dtypes, "truncation.mean" in shapes, found)


def _layers(network: str, shapes: dict[str, list[int]], file: DescribedFile) -> Iterator[Layer]:
    found = [match for match in map(WEIGHT.fullmatch, shapes) if match and match[1] == network]
    upward = 1 if network != "D" else -1
    for match in sorted(found, key=lambda match: (upward * int(match[3]), _rank(match[2]))):
        name, side = match[2], int(match[3])
        weight = shapes[match[0]]
        kind = name.partition(".")[2]
        bias = shapes.get(f"{network}.{name}.bias", [])
        yield Layer(
            name,
            weight,
            _output(network, kind, weight, side),
            math.prod(weight) + (math.prod(bias) if bias else 0),
            2.0 * math.prod(weight) * (side**2 if len(weight) == 4 else 1),
            _is_used(kind, side, file),
        )


def _rank(name: str) -> int:
    kind = name.partition(".")[2]
    return LAYERS.index(kind) if kind in LAYERS else len(LAYERS)


def _output(network: str, kind: str, weight: list[int], side: int) -> list[int]:
    outputs = weight[0] if weight else 1
    if kind == "dense":  # G's first layer computes all pixels of the smallest images
        return [outputs // LOWEST**2, LOWEST, LOWEST]
    if len(weight) != 4:
        return [outputs]
    halved = network == "D" and kind == "conv1"
    return [outputs, side // 2, side // 2] if halved else [outputs, side, side]


def _is_used(kind: str, side: int, file: DescribedFile) -> bool:
    """Images enter or leave at one resolution only; during a fade at the next lower one as well."""
    if kind in ("torgb", "fromrgb"):
        return side == file.resolution or (file.alpha < 1 and side == file.resolution // 2)
    return side <= file.resolution
