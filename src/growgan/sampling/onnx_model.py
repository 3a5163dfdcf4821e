"""Models exported to ONNX: onnxruntime makes their pictures, without torch or the networks' code."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from growgan.core.errors import ConfigError, ModelError
from growgan.models.description import DescribedFile, read_metadata
from growgan.sampling import images
from growgan.sampling.base import BaseModel
from growgan.sampling.latents import check_labels
from growgan.sampling.sources import find

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
"""Kinds of device -> onnxruntime's names for them."""


class OnnxModel(BaseModel):
    """An .onnx file written by `growgan export`: `sample` pictures by seed, or call it directly.

    Inputs: ``z`` float32 [N, L]; ``labels`` float32 [N, K] for a conditional model, one-hot, a mixture or attributes;
    ``psi``, truncation, if the file has it. Output: ``images`` float32 [N, C, S, S], unclipped, nominally in [-1, 1].
    """

    def __init__(self, source: str | Path, device: str = "cpu") -> None:
        """source: a file, or ``hf://OWNER/NAME/FILE.onnx``. device: cpu, cuda, mps or auto.

        Raises `ModelError` if it is no such file or is damaged, and `ConfigError` if the device is not available.
        """
        path = find(source)
        self.device = device
        self.session = _open_session(path, device)
        self.file = DescribedFile(path, **read_metadata(path, self.session.get_modelmeta().custom_metadata_map))
        self._check_inputs()

    @cached_property
    def truncates(self) -> bool:
        """Whether the file has the input psi."""
        return "psi" in {i.name for i in self.session.get_overridable_initializers()}

    def __call__(self, z: np.ndarray, labels: np.ndarray | None = None, psi: float = 1.0) -> np.ndarray:
        """Float images [N, C, S, S] of latents float [N, L] and labels, int64 [N] or float [N, K].

        Raises `ConfigError` for other shapes, and for labels that the model does not have.
        """
        if z.ndim != 2 or z.shape[1] != self.spec.z_size:
            raise ConfigError(f"this model's latents are [N, {self.spec.z_size}], not {list(z.shape)}")
        check_labels(labels, len(z), self.spec)
        feeds: dict[str, Any] = {"z": z.astype(np.float32, copy=False)}
        if labels is not None:
            eye = np.eye(self.spec.num_labels, dtype=np.float32)
            feeds["labels"] = eye[labels] if labels.ndim == 1 else labels.astype(np.float32, copy=False)
        if psi != 1:
            if not self.truncates:
                raise ConfigError(f"{self.file.path} was exported without truncation")
            feeds["psi"] = np.asarray(psi, dtype=np.float32)
        found: np.ndarray = self.session.run(["images"], feeds)[0]
        return found

    def __getstate__(self) -> dict[str, Any]:
        """All but the session, which another process opens again."""
        return {name: value for name, value in self.__dict__.items() if name != "session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.session = _open_session(self.file.path, self.device)

    def _pictures(
        self, z: np.ndarray, labels: np.ndarray | None, truncation: float, offset: np.ndarray | None = None
    ) -> np.ndarray:
        if offset is not None:
            told = "use the model file, or growgan project --latents-only"
            raise ConfigError(f"{self.file.path} takes only latents: {told}")
        return images.round_array(self(z, labels, truncation))

    def _check_inputs(self) -> None:
        """Raise `ModelError` if the graph does not match its description."""
        inputs = {i.name: i.shape[1:] for i in self.session.get_inputs()}
        outputs = {o.name: o.shape[1:] for o in self.session.get_outputs()}
        size = self.file.resolution
        wanted = {"z": [self.spec.z_size]} | ({"labels": [self.spec.num_labels]} if self.spec.num_labels else {})
        if inputs != wanted or outputs != {"images": [self.spec.channels, size, size]}:
            raise ModelError(f"{self.file.path}: the graph maps {inputs} to {outputs}, not as described")


def _open_session(path: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(f"{path} needs the package onnxruntime: pip install onnxruntime") from None
    there = onnxruntime.get_available_providers()
    kind = device.partition(":")[0]
    if kind == "auto":
        kind = next(name for name in ("cuda", "mps", "cpu") if PROVIDERS[name] in there)
    if PROVIDERS.get(kind) not in there:
        raise ConfigError(f"this onnxruntime does not support {device!r}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; they need not be printed as well
    if threads := os.environ.get("OMP_NUM_THREADS"):
        options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    try:
        return onnxruntime.InferenceSession(path, options, providers=[PROVIDERS[kind]])
    except Exception as error:  # the library's own types, a dozen without a common base
        raise ModelError(f"{path} is not an ONNX file that onnxruntime can run: {error}") from error
