"""`growgan.load`: a generator ready for use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError, ModelError
from growgan.core.runfiles import RunFiles
from growgan.devices import choose_layout
from growgan.models.native import ModelFile, open_model
from growgan.networks.generator import Generator
from growgan.sampling import images, latents
from growgan.sampling.latents import Label

SHIPPED: dict[str, str] = {}
"""Models in the package by name; the file's name within it."""

MEAN_LATENTS = 10_000
"""Latents over which the truncation mean is taken; 1,000 a class with classes (contract of truncation)."""

CHUNK = 1000
"""Latents looked at together where no picture is made of them."""


class Model:
    """A generator with its file: call it like G, or `sample` pictures by seed.

    ``model(z, labels, resolution, alpha)`` returns float images [N, C, S, S], unclipped, nominally in [-1, 1].
    """

    def __init__(self, file: ModelFile, device: str | torch.device = "cpu") -> None:
        self.file = file
        device = torch.device(device)
        self.G: Generator = file.generator().to(device=device, memory_format=choose_layout(device))  # type: ignore[call-overload]
        self._mean = file.truncation_mean()

    @property
    def spec(self) -> NetworkSpec:
        """What the networks are."""
        return self.file.spec

    @property
    def resolution(self) -> int:
        """Side in pixels of the pictures that the model makes."""
        return self.G.resolution

    def describe(self) -> str:
        """Which file it is and how far it was trained, in a line."""
        kimg = self.file.training.get("nimg", 0) / 1000
        fade = f", alpha {self.G.alpha:.2f}" if self.G.alpha < 1 else ""
        return f"{self.file.path}: {self.resolution}x{self.resolution}{fade}, trained on {kimg:g} kimg"

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

    @overload
    def sample(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: Label | str | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["pil"] = "pil",
    ) -> list[Image.Image]: ...
    @overload
    def sample(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: Label | str | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["numpy"],
    ) -> np.ndarray: ...
    @overload
    def sample(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: Label | str | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["tensor"],
    ) -> Tensor: ...

    def sample(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        label: Label | str | None = None,
        truncation: float = 1.0,
        batch: int = 16,
        kind: Literal["pil", "numpy", "tensor"] = "pil",
    ) -> list[Image.Image] | np.ndarray | Tensor:
        """The pictures of seeds ``seed .. seed + n - 1``.

        label: a class, by number or name, or K attributes, for all; else each seed's own. truncation: psi, 1 = off,
        toward 0 = more alike and more usual. kind: "pil" a list of pictures, "numpy" uint8 [N, H, W, C], "tensor" uint8
        [N, C, H, W]. Raises `ConfigError` for what the model does not have.
        """
        if n < 0:
            raise ConfigError(f"cannot make {n} pictures")
        if kind not in ("pil", "numpy", "tensor"):
            raise ConfigError(f'kind must be "pil", "numpy" or "tensor", not {kind!r}')
        if isinstance(label, str):
            label = self.label(label)
        seeds = range(seed, seed + n)
        parts = list(self.batches(seeds, label=label, truncation=truncation, batch=batch))
        size, channels = self.resolution, self.spec.channels
        pixels = np.concatenate(parts) if parts else np.zeros((0, channels, size, size), dtype=np.uint8)
        if kind == "tensor":
            return torch.from_numpy(pixels)
        if kind == "numpy":
            return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        return [images.to_picture(picture) for picture in pixels]

    @torch.inference_mode()
    def batches(
        self, seeds: Sequence[int], *, label: Label | None = None, truncation: float = 1.0, batch: int = 16
    ) -> Iterator[np.ndarray]:
        """The pictures of `seeds` as uint8 [n, C, H, W], `batch` at a time."""
        if not 0 <= truncation <= 2:
            raise ConfigError(f"truncation must lie between 0 and 2, not {truncation}")
        if batch < 1:
            raise ConfigError(f"a batch must be at least 1 picture, not {batch}")
        for start in range(0, len(seeds), batch):
            some = seeds[start : start + batch]
            z, labels = latents.draw(some, self.spec, self.distribution, label)
            z, labels = z.to(self.device), labels.to(self.device) if labels is not None else None
            x = self.G.first(z, labels)
            if truncation != 1:
                mean = self.truncation_mean(labels)
                x = mean + truncation * (x - mean)
            yield images.to_uint8(self.G.synthesize(x))

    def label(self, text: str) -> int:
        """The class of a name or number. Raises `ConfigError` for one that the model does not have."""
        names = self.file.training.get("class_names") or []
        if text in names:
            return int(names.index(text))
        if text in map(str, range(self.spec.num_labels)):
            return int(text)
        if not self.spec.num_labels:
            raise ConfigError("this model has no classes")
        known = ", ".join(names[:20]) if names else f"0 to {self.spec.num_labels - 1}"
        raise ConfigError(f"there is no class {text!r}; this model has: {known}")

    def labels(self, seeds: Sequence[int], label: Label | None = None) -> list[str]:
        """What each seed shows, in words: its class, or its attributes; empty without labels."""
        if not self.spec.num_labels:
            return []
        names = self.file.training.get("class_names") or [str(k) for k in range(self.spec.num_labels)]
        words = []
        for start in range(0, len(seeds), CHUNK):
            _, labels = latents.draw(seeds[start : start + CHUNK], self.spec, self.distribution, label)
            for row in labels.tolist() if labels is not None else []:
                mixture = isinstance(row, list)
                words.append(", ".join(f"{n} {v:g}" for n, v in zip(names, row)) if mixture else names[row])
        return words

    @property
    def distribution(self) -> dict[str, object]:
        """Distribution of the training labels, as `latents.label_distribution` wrote it."""
        found = self.file.training.get("labels", {})
        return found if isinstance(found, dict) else {}

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
