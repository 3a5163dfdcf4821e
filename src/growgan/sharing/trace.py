"""The generator as a graph of plain operations, for runtimes that know nothing about growgan.

What training recomputes in every call is folded into constants first: the weights' scale, and the upscaling before a
convolution, which becomes one transposed convolution. Layers unused at the exported size are left out.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn import functional as F

from growgan.core.errors import ConfigError, ModelError
from growgan.core.geometry import LOWEST, is_size, stage_name
from growgan.networks import resample
from growgan.networks.generator import Generator
from growgan.networks.layers import Conv, Linear
from growgan.sampling import latents
from growgan.sampling.model import Model

TOLERANCE = 1e-4
"""Largest difference allowed between an export's images and the model's, which lie in [-1, 1]."""


@dataclass(frozen=True)
class Program:
    """A traced generator, and its properties."""

    exported: ExportedProgram
    inputs: tuple[str, ...]
    """z, labels for a conditional model, and psi."""
    resolution: int
    alpha: float


def trace(model: Model, resolution: int | None = None) -> Program:
    """A model's generator at `resolution` pixels (None: the size that it has reached) in float32, for any batch.

    Its inputs: z [N, L]; labels float [N, K] for a conditional model; psi [], truncation. Raises `ConfigError`.
    """
    size = model.resolution if resolution is None else resolution
    if not is_size(size) or size > model.resolution:
        raise ConfigError(f"--resolution must be a power of two from 4 to {model.resolution}, not {size}")
    alpha = model.G.alpha if size == model.resolution and size > LOWEST else 1.0
    kind = _Conditional if model.spec.num_labels else _Plain
    graph = kind(folded(model.G, size, alpha), model.means.cpu(), size, alpha)
    batch = Dim("batch", min=1)
    inputs: dict[str, Tensor] = {"z": torch.randn(2, model.spec.z_size)}
    shapes: dict[str, object] = {"z": {0: batch}}
    if model.spec.num_labels:
        inputs["labels"] = torch.rand(2, model.spec.num_labels)
        shapes["labels"] = {0: batch}
    inputs["psi"] = torch.tensor(1.0)
    shapes["psi"] = {}
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's own warnings about its internals
        exported = torch.export.export(graph, tuple(inputs.values()), dynamic_shapes=shapes)
    return Program(exported, tuple(inputs), size, alpha)


def folded(G: Generator, resolution: int, alpha: float) -> Generator:
    """A copy of G on the CPU, in float32, with all weights precomputed and only what `resolution` needs."""
    G = copy.deepcopy(G).to("cpu", torch.float32, memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    G.compute = None
    for size in G.spec.stages:
        stage = G.stage(size)
        if size > resolution:
            delattr(G, stage_name(size))
            continue
        if size != resolution and not (alpha < 1 and size == resolution // 2):
            del stage.torgb
        for name, layer in list(stage.named_children()):
            setattr(stage, name, _Dense(layer) if isinstance(layer, Linear) else _Convolution(layer))
    return G.requires_grad_(False)


class _Dense(nn.Module):
    """Replaces a `Linear`."""

    def __init__(self, layer: Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.scaled_weight().detach().clone())
        self.bias = layer.bias

    def project(self, x: Tensor, compute: torch.dtype | None) -> Tensor:
        """The product with the weight alone."""
        return F.linear(x, self.weight)


class _Convolution(nn.Module):
    """Replaces a `Conv`: its kernel precomputed, [O, I, K, K], or [I, O, 4, 4] where it upscales."""

    def __init__(self, layer: Conv) -> None:
        super().__init__()
        weight = layer.scaled_weight().detach()
        self.enlarges = layer.resample == "up"
        self.weight = nn.Parameter(up_kernel(weight) if self.enlarges else weight.clone())
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, O, H, W], or [N, O, 2H, 2W]."""
        if not self.enlarges:
            return F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)
        enlarged: Tensor = F.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1)
        return enlarged


def up_kernel(weight: Tensor) -> Tensor:
    """The kernel [I, O, 4, 4] of a transposed convolution, stride 2, that equals `upscale`, then 3x3 by [O, I, 3, 3].

    Upscaling repeats every pixel, which is equivalent to repeating the kernel: the sum of its four shifts by half a
    pixel each way. A transposed convolution runs its kernel backwards, hence the flip.
    """
    return resample.box_sum(weight.flip(2, 3), edges=True).transpose(0, 1).contiguous()


class _Graph(nn.Module):
    def __init__(self, G: Generator, mean: Tensor, resolution: int, alpha: float) -> None:
        super().__init__()
        self.G = G
        self.resolution, self.alpha = resolution, alpha
        self.register_buffer("mean", mean.flatten(1))
        self.mean: Tensor

    def _images(self, z: Tensor, labels: Tensor | None, psi: Tensor) -> Tensor:
        x = self.G.first(z, labels)
        mean = self.mean if labels is None or self.G.spec.multi_label else labels @ self.mean
        # Of the forms of mean + psi (x - mean), the one that leaves x unchanged at psi = 1.
        x = x + (psi - 1) * (x - mean.view(-1, *x.shape[1:]))
        return self.G.synthesize(x, self.resolution, self.alpha)


class _Plain(_Graph):
    def forward(self, z: Tensor, psi: Tensor) -> Tensor:
        """Images [N, C, S, S]."""
        return self._images(z, None, psi)


class _Conditional(_Graph):
    def forward(self, z: Tensor, labels: Tensor, psi: Tensor) -> Tensor:
        """Images [N, C, S, S]."""
        return self._images(z, labels, psi)


def examples(model: Model) -> list[dict[str, np.ndarray]]:
    """Inputs for verifying an export: batches of 1 and 3, every second class, truncation off, half and on."""
    found = []
    for seeds, psi in (((0,), 1.0), ((1, 2, 3), 0.5), ((4,), 0.0)):
        z, labels = latents.draw_arrays(seeds, model.spec, model.distribution)
        feeds = {"z": z}
        if labels is not None:
            feeds["labels"] = np.eye(model.spec.num_labels, dtype=np.float32)[labels] if labels.ndim == 1 else labels
        found.append(feeds | {"psi": np.asarray(psi, dtype=np.float32)})
    return found


@torch.inference_mode()
def reference(model: Model, feeds: dict[str, np.ndarray], program: Program) -> np.ndarray:
    """The images of the model itself, not of the traced program."""
    labels = torch.from_numpy(feeds["labels"]).to(model.device) if "labels" in feeds else None
    x = model.G.first(torch.from_numpy(feeds["z"]).to(model.device), labels)
    mean = model.truncation_mean(labels)
    x = mean + float(feeds["psi"]) * (x - mean)
    found: np.ndarray = model.G.synthesize(x, program.resolution, program.alpha).float().cpu().numpy()
    return found


def largest_difference(found: np.ndarray, wanted: np.ndarray, what: str) -> float:
    """An export's largest difference from the model's images. Raises `ModelError` if it is more than rounding."""
    difference = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else float("inf")
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise ModelError(f"{what} gives different pictures from the model (by {difference:.2g}); not written")
    return difference
