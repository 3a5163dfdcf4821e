"""`growgan.load`: a generator ready for use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from growgan.core.errors import ModelError
from growgan.core.runfiles import RunFiles
from growgan.devices import choose_layout
from growgan.models.native import ModelFile, open_model
from growgan.networks.generator import Generator
from growgan.sampling import images, latents
from growgan.sampling.base import CHUNK, BaseModel

SHIPPED: dict[str, str] = {}
"""Models in the package by name; the file's name within it."""

MEAN_LATENTS = 10_000
"""Latents over which the truncation mean is taken; 1,000 a class with classes (contract of truncation)."""


class Model(BaseModel):
    """A generator with its file: call it like G, or `sample` pictures by seed.

    ``model(z, labels, resolution, alpha)`` returns float images [N, C, S, S], unclipped, nominally in [-1, 1].
    """

    def __init__(self, file: ModelFile, device: str | torch.device = "cpu") -> None:
        self.file: ModelFile = file
        device = torch.device(device)
        self.G: Generator = file.generator().to(device=device, memory_format=choose_layout(device))  # type: ignore[call-overload]
        self._mean = file.truncation_mean()

    @property
    def resolution(self) -> int:
        """Side in pixels of the pictures that the model makes."""
        return self.G.resolution

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.G.parameters()).device

    def __call__(
        self, z: Tensor, labels: Tensor | None = None, resolution: int | None = None, alpha: float | None = None
    ) -> Tensor:
        """Float images [N, C, S, S] of latents [N, L]; see `Generator.forward`."""
        images_: Tensor = self.G(z, labels, resolution, alpha)
        return images_

    @torch.inference_mode()
    def _pictures(self, z: np.ndarray, labels: np.ndarray | None, truncation: float) -> np.ndarray:
        of = torch.from_numpy(labels).to(self.device) if labels is not None else None
        x = self.G.first(torch.from_numpy(z).to(self.device), of)
        if truncation != 1:
            mean = self.truncation_mean(of)
            x = mean + truncation * (x - mean)
        return images.to_uint8(self.G.synthesize(x))

    def truncation_mean(self, labels: Tensor | None) -> Tensor:
        """Where truncation leads to: mean outputs of the first layer, [1 or N, width, 4, 4].

        Without classes one mean over 10,000 latents; with classes one a class over 1,000 (mixtures mix them); with
        attributes one over labels from the training distribution. Computed when first needed, unless the file has it.
        """
        if self._mean is None:
            self._mean = self._measured_mean()
        mean = self._mean.to(self.device)
        if labels is None or self.spec.multi_label:
            return mean
        if labels.dim() == 1:
            return mean[labels]
        return torch.einsum("nk,kchw->nchw", labels.to(mean), mean)

    @torch.inference_mode()
    def _measured_mean(self) -> Tensor:
        spec = self.spec
        if not spec.num_labels or spec.multi_label:
            z, labels = latents.draw(range(MEAN_LATENTS), spec, self.distribution)
            return self._mean_of(z, labels)
        z, _ = latents.draw(range(1000), spec, self.distribution, 0)
        classes = [torch.full((len(z),), k) for k in range(spec.num_labels)]
        return torch.cat([self._mean_of(z, labels) for labels in classes])

    def _mean_of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        total = torch.zeros((1, self.spec.width(4), 4, 4), device=self.device)
        for start in range(0, len(z), CHUNK):
            some = slice(start, start + CHUNK)
            of = labels[some].to(self.device) if labels is not None else None
            total += self.G.first(z[some].to(self.device), of).sum(0, keepdim=True)
        return total / len(z)


def load(source: str | Path, device: str | torch.device = "cpu") -> Model:
    """A model, ready to make pictures.

    source: a model file, a run folder (its best snapshot, else its newest), or the name of a shipped model.
    Raises `ModelError`, in one line, for what is none of these or is damaged.
    """
    return Model(open_model(find(source)), device)


def find(source: str | Path) -> Path:
    """The model file that `source` stands for; see `load`."""
    path = Path(source)
    if path.is_dir():
        return _of_run(path)
    if not path.exists() and str(source) in SHIPPED:
        return Path(__file__).parents[1] / "shipped" / SHIPPED[str(source)]
    if not path.exists():
        shipped = f" ({', '.join(SHIPPED)})" if SHIPPED else ""
        raise ModelError(f"{source} is no model file, no run folder and no shipped model{shipped}")
    return path


def _of_run(run: Path) -> Path:
    files = RunFiles(run)
    snapshots, milestones = files.snapshots(), files.milestones()
    if files.best.is_file() and (not snapshots or _resolution(files.best) >= _resolution(snapshots[-1])):
        return files.best
    if snapshots or milestones:
        return (snapshots or milestones)[-1]
    raise ModelError(f"the folder {run} holds no model: a run folder has snapshots in {files.models}")


def _resolution(path: Path) -> int:
    return int(open_model(path).training.get("resolution", 0))
