"""The machine's own limits: its best rates of convolving, multiplying and copying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from growgan.bench.timing import laps
from growgan.core.config import NetworkSpec
from growgan.devices import Machine, has_fast_bfloat16

Backward = torch.ops.aten.convolution_backward

PASSES = ("forward", "input", "weight")
"""A convolution, the gradient with respect to its input, and that with respect to its weight."""
MATRIX, COPY = "matrix", "copy"
LAYOUTS = (torch.contiguous_format, torch.channels_last)
SECONDS = 0.25
"""How long each one is timed."""
COPIED_BYTES = 2**28
"""Far more than a cache holds; four times as much on a GPU."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The best measured rate of one kind of work."""

    what: str
    """A pass of a convolution, `MATRIX`, or `COPY`."""
    precision: str
    rate: float
    """Operations (multiply-adds times two) per second; for a copy, bytes read and written per second."""
    shape: str
    """Where it was measured."""


def precisions(device: torch.device) -> list[str]:
    """The types worth measuring on this device."""
    return ["float32", "bfloat16"] if has_fast_bfloat16(device) else ["float32"]


def convolution_shapes(device: torch.device) -> list[tuple[int, int, int]]:
    """Feature maps, resolution and images of 3x3 convolutions for which devices reach their best rate."""
    spec = NetworkSpec(resolution=64)
    many = 16 if device.type == "cuda" else 1
    return [(spec.width(size), size, n * many) for size, n in ((8, 16), (16, 8), (32, 4), (64, 2))]


def convolutions(machine: Machine, precision: str, seconds: float = SECONDS) -> list[Rate]:
    """The best rate of each pass, over several shapes and layouts."""
    best: dict[str, Rate] = {}
    for maps, size, n in convolution_shapes(machine.device):
        flops = 2.0 * n * maps * maps * 9 * size**2
        for layout in LAYOUTS:
            for name, work in _passes(machine.device, getattr(torch, precision), layout, maps, size, n).items():
                rate = flops / laps(work, machine.device, seconds, fewest=2).least
                if name not in best or rate > best[name].rate:
                    layout_name = "channels last" if layout == torch.channels_last else "channels first"
                    best[name] = Rate(name, precision, rate, f"{maps} maps, {size}x{size}, batch {n}, {layout_name}")
    return list(best.values())


def products(machine: Machine, precision: str, seconds: float = SECONDS) -> list[Rate]:
    """The rate of a product of square matrices."""
    size = 8192 if machine.device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=machine.device, dtype=getattr(torch, precision)) for _ in range(2))
    rate = 2.0 * size**3 / laps(lambda: a @ b, machine.device, seconds).least
    return [Rate(MATRIX, precision, rate, f"{size}x{size}")]


def copies(machine: Machine, seconds: float = SECONDS) -> list[Rate]:
    """Bytes per second of a copy too large for any cache, counting bytes read and written."""
    size = COPIED_BYTES * (4 if machine.device.type == "cuda" else 1)
    source = torch.zeros(size // 4, device=machine.device)
    target = torch.empty_like(source)
    rate = 2.0 * size / laps(lambda: target.copy_(source), machine.device, seconds).least
    return [Rate(COPY, "float32", rate, f"{size >> 20} MiB")]


def convolution_limit(rates: list[Rate], precision: str) -> float | None:
    """The best rate of any pass in this precision, to which shares of the limit refer."""
    found = [rate.rate for rate in rates if rate.what in PASSES and rate.precision == precision]
    return max(found, default=None)


def _passes(
    device: torch.device, dtype: torch.dtype, layout: torch.memory_format, maps: int, size: int, n: int
) -> dict[str, Callable[[], object]]:
    def images() -> Tensor:
        return torch.randn(n, maps, size, size, device=device).to(dtype).contiguous(memory_format=layout)

    x, y = images(), images()
    weight = torch.randn(maps, maps, 3, 3, device=device).to(dtype).contiguous(memory_format=layout)
    form: tuple[Any, ...] = (None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    return {
        "forward": lambda: torch.conv2d(x, weight, padding=1),
        "input": lambda: Backward(y, x, weight, *form, [True, False, False]),
        "weight": lambda: Backward(y, x, weight, *form, [False, True, False]),
    }
