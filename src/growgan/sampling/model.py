"""`growgan.load`: a generator ready for use."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from growgan.core.config import ExecutionConfig
from growgan.core.errors import ConfigError, ModelError
from growgan.core.geometry import LOWEST
from growgan.devices import set_up
from growgan.models.description import Changed
from growgan.models.foreign.opening import open_any
from growgan.models.native import ModelFile
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import follow, keep_kernels
from growgan.sampling import images, latents
from growgan.sampling.base import CHUNK, BaseModel
from growgan.sampling.sources import find

if TYPE_CHECKING:
    from growgan.sampling.base import Numbers

Network = TypeVar("Network", Generator, Discriminator)

Precision = Literal["auto", "float32", "bfloat16"]

ATTEMPTS = 5
"""How often to try to open a file that a run keeps replacing."""
MEASURING = Lock()
"""Held while a truncation mean is computed."""
MEAN_LATENTS = 10_000
"""Latents over which the truncation mean is taken; 1,000 per class with classes (contract of truncation)."""


class Model(BaseModel):
    """A generator with its file: call it like G, or `sample` pictures by seed.

    `growgan.load` makes one. ``model(z, labels, resolution, alpha, psi)`` returns float images [N, C, S, S], unclipped,
    nominally in [-1, 1]. Threads may share a model.
    """

    @torch.inference_mode(False)  # whatever the caller's mode: the weights may need gradients later
    def __init__(self, file: ModelFile, device: str | torch.device = "cpu", precision: Precision = "float32") -> None:
        self.file: ModelFile = file
        # Batch sizes vary and often occur only once: no time is spent measuring kernels for them.
        if precision not in get_args(Precision):
            raise ConfigError(f"precision must be auto, float32 or bfloat16, not {precision!r}")
        machine = set_up(ExecutionConfig(device=str(device), precision=precision, plan="plain"), own=False)
        self._machine = machine
        self._G = self._prepared(file.generator())
        # Its weights do not change until the caller accesses `G`; a single picture takes a fifth less time.
        keep_kernels(self._G)
        self._mean = file.truncation_mean()
        self._mean_weights: list[Tensor] | None = None
        """The first layer's weights that the mean belongs to; None as long as nobody can have changed them."""

    def _prepared(self, network: Network) -> Network:
        network.to(device=self._machine.device, memory_format=self._machine.layout)  # type: ignore[call-overload]
        network.compute = self._machine.compute
        follow(network, self._machine.known_plan())
        return network

    @torch.inference_mode(False)
    def discriminator(self) -> Discriminator | None:
        """The file's D, on the device of G; None if there is none."""
        if not self.file.has("D"):
            return None
        D = self.file.network("D")
        assert isinstance(D, Discriminator)
        return self._prepared(D)

    @property
    def G(self) -> Generator:
        """The network as a torch module, whose weights you may change in any way.

        Once it has been accessed, nothing derived from the weights is kept between calls.
        """
        if self._mean_weights is None:
            self._mean_weights = [weight.clone() for weight in self._first_layer()]
        keep_kernels(self._G, False)
        return self._G

    @property
    def is_finite(self) -> bool:
        """Whether all of its weights are finite numbers."""
        return all(bool(weight.isfinite().all()) for weight in self._G.parameters())

    @property
    def resolution(self) -> int:
        """Resolution of the model's pictures, in pixels per side."""
        return self._G.resolution

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self._G.parameters()).device

    def __call__(
        self,
        z: Numbers,
        labels: Numbers | None = None,
        resolution: int | None = None,
        alpha: float | None = None,
        psi: float | Tensor = 1.0,
    ) -> Tensor:
        """Float images [N, C, S, S] of latents [N, L], of any type and on any device; see `Generator.forward`.

        psi: truncation; gradients flow through it as through z. Raises `ConfigError` for shapes, labels, sizes and
        alphas that the network does not support.
        """
        if labels is not None and not self.spec.num_labels:
            raise ConfigError("this model has no classes")
        try:
            z = torch.as_tensor(z).to(self.device, self._dtype)
            labels = torch.as_tensor(labels).to(self.device) if labels is not None else None
            if not isinstance(psi, Tensor) and psi == 1:
                images_: Tensor = self._G(z, labels, resolution, alpha)
                return images_
            return self._G.synthesize(self._truncated(self._G.first(z, labels), labels, psi), resolution, alpha)
        except (ValueError, TypeError) as error:
            raise ConfigError(str(error)) from error

    def first_weight(self) -> np.ndarray:
        """The part [outputs, L] of the first dense layer's weight that acts on latents, scaled."""
        dense = self._G.stage(LOWEST).dense
        weight: np.ndarray = (dense.weight * dense.scale).detach()[:, : self.spec.z_size].float().cpu().numpy()
        return weight

    @torch.inference_mode()
    def _pictures(
        self, z: np.ndarray, labels: np.ndarray | None, truncation: float, offset: np.ndarray | None = None
    ) -> np.ndarray:
        with torch.autocast(self.device.type, enabled=False):  # the model has its own precision
            of = torch.from_numpy(labels).to(self.device) if labels is not None else None
            x = self._G.first(torch.from_numpy(z).to(self.device, self._dtype), of)
            if offset is not None:
                x = x + torch.from_numpy(offset).to(x)
            if truncation != 1:
                x = self._truncated(x, of, truncation)
            return images.to_uint8(self._G.synthesize(x))

    def _truncated(self, x: Tensor, labels: Tensor | None, psi: float | Tensor) -> Tensor:
        """The output of the first layer, moved toward its mean."""
        mean = self.truncation_mean(labels).to(x)
        return mean + psi * (x - mean)

    @property
    def _dtype(self) -> torch.dtype:
        """Type of the weights, which a user of `G` may have changed."""
        return next(self._G.parameters()).dtype

    def _first_layer(self) -> list[Tensor]:
        """The weights that the mean depends on."""
        return [weight.detach() for weight in self._G.stage(LOWEST).dense.parameters()]

    @property
    def _is_mean_current(self) -> bool:
        if self._mean is None or self._mean_weights is None:
            return self._mean is not None
        return all(torch.equal(now, then) for now, then in zip(self._first_layer(), self._mean_weights, strict=True))

    @property
    def means(self) -> Tensor:
        """All means to which truncation may lead: [1 or K, width, 4, 4]; see `truncation_mean`."""
        if not self._is_mean_current:
            with MEASURING:  # otherwise every thread that needs it would measure it
                if not self._is_mean_current:
                    now = [weight.clone() for weight in self._first_layer()]
                    self._mean = self._measured_mean()
                    self._mean_weights = None if self._mean_weights is None else now
        assert self._mean is not None
        return self._mean.to(self.device)

    def truncation_mean(self, labels: Tensor | None) -> Tensor:
        """The point to which truncation leads: mean outputs of the first layer, [1 or N, width, 4, 4].

        Without classes, one mean over 10,000 latents; with classes, one per class over 1,000 (mixtures mix them); with
        attributes, one over labels from the training distribution. Computed when first needed, unless the file has it.
        """
        mean = self.means
        if labels is None or self.spec.multi_label:
            return mean
        if labels.dim() == 1:
            return mean[labels.long()]  # uint8 would be taken for a mask
        return torch.einsum("nk,kchw->nchw", labels.to(mean), mean)

    @torch.inference_mode(False)  # gradients may bypass it, but not flow into it
    @torch.no_grad()
    def _measured_mean(self) -> Tensor:
        spec = self.spec
        if not spec.num_labels or spec.multi_label:
            z, labels = latents.draw(range(MEAN_LATENTS), spec, self.distribution)
            return self._mean_of(z, labels)
        z, _ = latents.draw(range(1000), spec, self.distribution, 0)
        classes = [torch.full((len(z),), k, device="cpu") for k in range(spec.num_labels)]
        return torch.cat([self._mean_of(z, labels) for labels in classes])

    def _mean_of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        total = torch.zeros((1, self.spec.width(4), 4, 4), dtype=torch.float32, device=self.device)
        for start in range(0, len(z), CHUNK):
            some = slice(start, start + CHUNK)
            of = labels[some].to(self.device) if labels is not None else None
            total += self._G.first(z[some].to(self.device, self._dtype), of).sum(0, keepdim=True)
        return total / len(z)


def load(source: str | Path, device: str | torch.device = "cpu", precision: Precision = "float32") -> Model:
    """A model, ready to make pictures.

    source: a model file (of growgan, or of another program: docs/importing.md), a run folder (its best snapshot, else
    its newest), the name of a shipped model, or ``hf://OWNER/NAME[@REVISION][/FILE]`` on the Hugging Face Hub (the
    extra `hub`). precision: "float32", in which a seed's picture on one machine does not depend on the batch, to within
    one level; "bfloat16", faster on devices that support it natively; "auto". Raises `ModelError`, in one line, if it
    is none of these or is damaged, and `ConfigError` if the device or precision is not available.
    """
    path = find(source)
    if path.suffix == ".onnx":
        raise ModelError(f"{path} is an ONNX file: open it with growgan.OnnxModel or growgan generate")
    with torch.inference_mode(False):  # as in `Model`: another program's weights are read here
        for _ in range(ATTEMPTS - 1):
            with suppress(Changed):
                return Model(open_any(path), device, precision)
        return Model(open_any(path), device, precision)
