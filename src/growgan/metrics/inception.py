"""Networks whose features represent a picture's content: Inception-v3 (2015-12-05), and VGG-16 for `pr`.

Both are TorchScript files. Inception sees 299x299 pixels, so how a picture is enlarged is part of every measure
(Parmar, Zhang and Zhu 2022). Protocol "legacy" is that of FID's authors: TensorFlow 1's bilinear, which is aligned to
the first pixel's corner and not antialiased. Protocol "clean" is clean-fid's: Pillow's bicubic in floats, antialiased
when it shrinks.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from growgan.core.errors import ConfigError, ModelError, as_out_of_memory
from growgan.metrics.weights import SHA256, file_hash

SIDE = 299
PROTOCOLS = {"legacy": "bilinear-tf1", "clean": "bicubic-antialiased"}
"""Name on the command line -> how pictures are resized for Inception."""


class FeatureNetwork:
    """A network from a TorchScript file, of one of two kinds, distinguished by the arguments of its `forward`.

    A tensor alone: pictures 299x299 as (x - 128) / 128; returns features, or features and logits. With
    `return_features` as well (NVIDIA's files): pictures of 0..255; returns features or else class probabilities.
    """

    def __init__(
        self,
        path: Path,
        protocol: str | None,
        device: torch.device | str = "cpu",
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        """protocol: a name of `PROTOCOLS`, or None for VGG-16, which resizes pictures itself."""
        if protocol is not None and protocol not in PROTOCOLS:
            raise ConfigError(f"unknown protocol {protocol!r}; choose from {', '.join(PROTOCOLS)}")
        self.path = path
        self.protocol = protocol
        self.device = torch.device(device)
        self.layout = layout
        self.hash = file_hash(path)
        self._module = _load(path, self.device)
        self._takes = {argument.name for argument in self._module.forward.schema.arguments}

    @property
    def name(self) -> str:
        """Everything that determines the features: network, resizing, and the hash of any file but the known one."""
        if self.protocol is None:
            return f"vgg16:{self.hash[:12]}"
        return f"inception:{'2015-12-05' if self.hash == SHA256 else self.hash[:12]}/{PROTOCOLS[self.protocol]}"

    @cached_property
    def has_classes(self) -> bool:
        """Whether the network also outputs the classes, as the Inception Score needs."""
        if "return_features" in self._takes:
            return "no_output_bias" in self._takes
        return isinstance(self._run(np.zeros((1, 3, SIDE, SIDE), np.uint8)), tuple)

    def check_classes(self) -> None:
        """Raise `ConfigError` for a network that ends at the features."""
        if not self.has_classes:
            raise ConfigError(
                f"the Inception Score needs the network's logits, which {self.path.name} does not have: it ends at the "
                "features; pass a file that has both with --inception"
            )

    def features(self, images: np.ndarray[Any, Any]) -> Tensor:
        """Features of uint8 images [N, C, S, S], C 1 or 3: [N, D], float32 on the CPU."""
        found = self._run(images, **({"return_features": True} if "return_features" in self._takes else {}))
        features: Tensor = found[0] if isinstance(found, tuple) else found
        if features.ndim != 2:
            raise ModelError(f"{self.path} returns {[*features.shape]}, not features [N, D]")
        return self._finite(features.float().cpu())

    def probabilities(self, images: np.ndarray[Any, Any]) -> Tensor:
        """Class probabilities [N, K], without the bias of the last layer if the file supports that."""
        self.check_classes()
        if "return_features" in self._takes:
            classes: Tensor = self._run(images, no_output_bias=True)
        else:
            classes = self._run(images)[1].float().softmax(1)
        return self._finite(classes.float().cpu())

    def _finite(self, found: Tensor) -> Tensor:
        if not found.isfinite().all():
            raise ModelError(f"{self.path} returns numbers that are not finite")
        return found

    @torch.inference_mode()
    def _run(self, images: np.ndarray[Any, Any], **switches: bool) -> Any:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ConfigError(f"features need uint8 images [N, 1 or 3, S, S], not {images.dtype} {[*images.shape]}")
        x = torch.from_numpy(images.copy()).to(self.device).float().expand(-1, 3, -1, -1)
        if self.protocol is not None:
            x = resize(x, self.protocol)
            if "return_features" not in self._takes:
                x = (x - 128) / 128
        try:
            with _in_float32(self.device):
                return self._module(x.contiguous(memory_format=self.layout), **switches)
        except RuntimeError as error:
            if said := as_out_of_memory(error, "use a smaller --batch or another --device"):
                raise said from error
            raise ModelError(f"{self.path} is not the expected network: {_last_line(error)}") from error


@contextmanager
def _in_float32(device: torch.device) -> Iterator[None]:
    """Run convolutions on a GPU at full precision: TF32, cuDNN's default, would differ from a CPU's results."""
    # `allow_tf32`, the older name of the switch, raises once this one has been used.
    switch: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = switch.fp32_precision
    if device.type == "cuda":
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        switch.fp32_precision = before


def resize(images: Tensor, protocol: str, side: int = SIDE) -> Tensor:
    """Resize float images [N, C, S, S] of 0..255 to `side` pixels: rows, then columns, by one matrix."""
    matrix = (_bilinear if protocol == "legacy" else _bicubic)(images.shape[-1], side).to(images)
    return (matrix @ images @ matrix.T).clamp(0, 255)


@cache
def _bilinear(size: int, side: int) -> Tensor:
    """Weights [side, size] of TensorFlow 1's bilinear: output i samples i * size / side, between two pixels."""
    at = torch.arange(side, dtype=torch.float64) * size / side
    low = at.long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    share = (at - low)[:, None]
    eye = torch.eye(size, dtype=torch.float64)
    return (1 - share) * eye[low] + share * eye[high]


@cache
def _bicubic(size: int, side: int) -> Tensor:
    """Weights [side, size] of Pillow's bicubic (a = -1/2), stretched over more pixels when it shrinks."""
    stretch = max(size / side, 1.0)
    centre = (torch.arange(side, dtype=torch.float64)[:, None] + 0.5) * size / side
    away = (torch.arange(size, dtype=torch.float64) + 0.5 - centre) / stretch
    # Pillow's support ends at whole pixels, which leaves out nothing but zeros of the kernel.
    d = away.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    weights = torch.where(d < 1, near, torch.where(d < 2, far, 0.0))
    return weights / weights.sum(1, keepdim=True)


def _load(path: Path, device: torch.device) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the published weights come as TorchScript
            return torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path} is not a complete TorchScript file") from error


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
