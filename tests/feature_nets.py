"""Tiny TorchScript files in the place of Inception and VGG-16, of each kind that `FeatureNetwork` takes."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

CLASSES = 7
FEATURES = 96


class Trunk(nn.Module):
    """Means of random filters over a 2x2 grid: they see colour, place, sharpness and noise."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        kernels = torch.randn(FEATURES // 4, 3, 5, 5, generator=random) / 12
        # Two of three see edges alone, and see them well.
        edges = torch.arange(len(kernels)) % 3 > 0
        kernels[edges] = 6 * (kernels[edges] - kernels[edges].mean((2, 3), keepdim=True))
        self.register_buffer("kernels", kernels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.nn.functional.avg_pool2d(x, 4, ceil_mode=True)
        maps = torch.nn.functional.conv2d(x, self.kernels, stride=3, padding=2).abs()
        return torch.nn.functional.adaptive_avg_pool2d(maps, 2).flatten(1)


class FeaturesAlone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)


class FeaturesAndLogits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        return features, features[:, :7]


class Switched(nn.Module):
    """As NVIDIA's files: pictures of 0..255 in, the output by a switch."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()

    def forward(self, img: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        features = self.trunk((img - 128) / 128)
        if return_features:
            return features
        return (features[:, :7] if no_output_bias else features[:, :7] + 1).softmax(1)


class NotFeatures(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


KINDS = {"features": FeaturesAlone, "logits": FeaturesAndLogits, "switched": Switched, "wrong": NotFeatures}


def save_network(path: Path, kind: str = "features") -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is what the published files are
        torch.jit.script(KINDS[kind]().eval()).save(str(path))
    return path
