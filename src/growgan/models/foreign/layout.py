"""Converts the weights of another program's network to ours: every name used once, every weight of ours filled.

The stored weight is multiplied by the ratio of the two programs' run-time scales, which are 1 where a program has none.
The effective weights are thus equal up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError
from growgan.core.fields import from_json
from growgan.core.geometry import LOWEST, is_size, stages
from growgan.core.trees import LONGEST, show
from growgan.models.foreign.machine import Refused
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import HE_GAIN, Equalized

LARGEST = 2**16
"""Largest resolution accepted, in pixels per side."""
NETWORKS: dict[str, type[Generator] | type[Discriminator]] = {"G": Generator, "D": Discriminator}


class Numbers(Protocol):
    """An array or tensor in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    def tensor(self) -> Tensor:
        """Its values, float32."""


@dataclass
class Imported:
    """What was read from a file: networks in our layout, and remarks for the user."""

    origin: str
    spec: NetworkSpec
    states: dict[str, dict[str, Tensor]]
    """State dicts of those of G, D and G_ema that the file has."""
    training: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


class Weights:
    """The weights of one foreign network by name, each to be taken once."""

    def __init__(self, values: Mapping[Any, Any], where: str) -> None:
        self.values, self.where = dict(values), where

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """Shape of a weight. Raises `Refused` if it is missing or has a different number of axes."""
        shape = tuple(self._found(name).shape)
        if len(shape) != axes or 0 in shape:
            raise Refused(f"{self.where} has a weight {name} of shape {list(shape)}")
        return shape

    def take(self, name: str) -> Tensor:
        """Take a weight, as float32."""
        found = self._found(name)
        del self.values[name]
        return found.tensor()

    def drop(self, name: str) -> None:
        """Discard a weight that has no effect."""
        self._found(name)
        del self.values[name]

    def finish(self) -> None:
        """Raise `Refused` if a weight has not been taken."""
        if self.values:
            name = min(map(str, self.values))
            raise Refused(f"{self.where} has an unexpected weight {name[:80]}")

    def _found(self, name: str) -> Numbers:
        value = self.values.get(name)
        if value is None:
            raise Refused(f"{self.where} lacks the weight {name}")
        if not hasattr(value, "tensor") or not hasattr(value, "shape"):
            raise Refused(f"{self.where} has no array under {name}")
        return value  # type: ignore[no-any-return]


class Filling:
    """One of our networks, while it is being filled with weights."""

    def __init__(self, kind: str, spec: NetworkSpec, where: str) -> None:
        with torch.device("meta"):
            network = NETWORKS[kind](spec)
        self.spec, self.where = spec, where
        self.wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        self.scales = {path: m.scale for path, m in network.named_modules() if isinstance(m, Equalized)}
        self.state: dict[str, Tensor] = {}

    def put(self, layer: str, weight: Tensor, bias: Tensor, scale: float, bias_scale: float = 1.0) -> None:
        """Set a layer: its weight in our axis order, and the run-time scales that the original program applies."""
        if layer not in self.scales:
            raise Refused(f"{self.where} has an unexpected layer {layer}")
        factor = scale / self.scales[layer]
        for name, value, by in (("weight", weight, factor), ("bias", bias, bias_scale)):
            key = f"{layer}.{name}"
            if self.wanted[key] != tuple(value.shape):
                raise Refused(f"{self.where} has a {key} of shape {list(value.shape)}, not {list(self.wanted[key])}")
            value = value if math.isclose(by, 1.0, rel_tol=1e-9) else value * by
            if not value.isfinite().all():
                raise Refused(f"{self.where} has numbers in {key} that are not finite")
            self.state[key] = value.contiguous()

    def finish(self) -> dict[str, Tensor]:
        """The state dict. Raises `Refused` if one of our weights has not been set."""
        for name in self.wanted:
            if name not in self.state:
                raise Refused(f"{self.where} lacks the layer {name.rpartition('.')[0]}")
        return self.state


def he(weight: Tensor, gain: float = HE_GAIN) -> float:
    """He's constant of a weight [outputs, inputs, ...]."""
    return gain / math.sqrt(math.prod(weight.shape[1:]))


def make_spec(**fields: Any) -> NetworkSpec:
    """A spec from the values in a file. Raises `Refused` if they are invalid."""
    for name, value in {**fields, **fields.get("variant", {})}.items():
        if isinstance(value, list | tuple | bytes) or (isinstance(value, str) and len(value) > LONGEST):
            raise Refused(f"it says {show(value)} for {name}")
    try:
        spec = from_json(NetworkSpec, fields, "network")
    except ConfigError as error:
        raise Refused(str(error)) from error
    if spec.resolution > LARGEST:
        raise Refused(f"it claims a resolution of {spec.resolution} pixels")
    return spec


def fit_widths(widths: dict[int, int], hidden: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of a spec and of its variant that give these numbers of feature maps by resolution.

    hidden: outputs of D's first dense layer; None if there is no D. Uses the paper's rule where it gives these numbers.
    """
    top = max(widths)
    known = widths | ({LOWEST // 2: hidden} if hidden is not None else {})
    base, most = widths[top] * top // 2, max(known.values())
    if all(min(base * 2 // size, most) == width for size, width in known.items()):
        return {"fmap_base": base, "fmap_max": most}, {}
    variant: dict[str, Any] = {"widths": {"base": widths[top]} | {str(s): w for s, w in widths.items() if s != top}}
    return {}, variant | ({"hidden": hidden} if hidden is not None else {})


def sizes_of(count: int) -> tuple[int, ...]:
    """Resolutions of `count` stages, from 4 up."""
    if not 1 <= count <= LARGEST.bit_length() - LOWEST.bit_length() + 1:
        raise Refused(f"it has {count} stages")
    return stages(LOWEST << (count - 1))


def checked_size(value: Any) -> int:
    """A resolution from a file, validated."""
    if not isinstance(value, int) or not is_size(value) or value > LARGEST:
        raise Refused("its resolution is not a power of two of at least 4")
    return value


def checked_alpha(value: Any) -> float:
    """The weight of the newest layers from a file, validated."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Refused("the weight of its newest layers is not between 0 and 1")
    return float(value)
