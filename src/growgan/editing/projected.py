"""A file of photographs projected into a model: their latents, for `growgan edit` and `growgan video`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from growgan.core.errors import ConfigError
from growgan.core.geometry import LOWEST
from growgan.editing.files import read_arrays, save_arrays
from growgan.sampling.base import BaseModel
from growgan.sampling.walks import Walk

KEY = "growgan.projected"
"""Metadata key of a file of photographs."""


@dataclass(frozen=True)
class Point:
    """The projection of one photograph."""

    z: np.ndarray
    """Float32 [L]."""
    label: np.ndarray | None
    """Int64 [] or float32 [K]; None without labels."""
    offset: np.ndarray | None
    """Float32 [width, 4, 4]; None if there is only a latent."""
    error: float
    """Root mean square difference between photograph and picture, in levels of 255."""


@dataclass(frozen=True)
class Projected:
    """Photographs as points in latent space, one per row."""

    names: tuple[str, ...]
    digests: tuple[str, ...]
    """SHA-256 of each photograph as it was projected: uint8 [C, S, S]."""
    errors: tuple[float, ...]
    """Root mean square difference between photograph and picture, in levels of 255."""
    z: np.ndarray
    """Float32 [N, L]."""
    labels: np.ndarray | None
    """Int64 [N] or float32 [N, K]; None without labels."""
    offset: np.ndarray | None
    """Float32 [N, width, 4, 4], added to the first layer's output; None if there are only latents."""
    model: str
    """SHA-256 of the model file into which they were projected."""
    settings: str
    """Settings of the projection."""

    def walk(self, model: BaseModel) -> Walk:
        """One frame with a cell for each photograph. Raises `ConfigError` if the model's latents or labels differ."""
        spec, base = model.spec, (model.spec.width(LOWEST), LOWEST, LOWEST)
        fits = self.z.shape[1] == spec.z_size and (self.labels is not None) == bool(spec.num_labels)
        if self.labels is not None and self.labels.ndim == 2:
            fits = fits and self.labels.shape[1] == spec.num_labels
        elif self.labels is not None:
            fits = fits and self.labels.min() >= 0 and self.labels.max() < spec.num_labels
        if not fits:
            raise ConfigError("these photographs were projected with a model of different latents or labels")
        if self.offset is not None and self.offset.shape[1:] != base:
            raise ConfigError("these photographs were projected with a model whose first layer has a different width")
        labels, offset = (one[None] if one is not None else None for one in (self.labels, self.offset))
        return Walk(self.z[None], labels, offset)


def added(found: Projected | None, name: str, digest: str, point: Point, model: str, settings: str) -> Projected:
    """`found` with one more photograph at the end; if it is None, this photograph alone."""
    z, labels, offset = (one[None] if one is not None else None for one in (point.z, point.label, point.offset))
    assert z is not None
    one = Projected((name,), (digest,), (point.error,), z, labels, offset, model, settings)
    if found is None:
        return one
    joined: dict[str, Any] = {
        field: (*before, *getattr(one, field)) if isinstance(before, tuple) else np.concatenate([before, after])
        for field, before in vars(found).items()
        if not isinstance(before, str) and (after := getattr(one, field)) is not None
    }
    return replace(one, **joined)


def save(path: Path, found: Projected) -> None:
    """Write a .safetensors file, whole or not at all."""
    about = {name: getattr(found, name) for name in ("names", "digests", "errors", "model", "settings")}
    save_arrays(path, KEY, about, {"z": found.z, "labels": found.labels, "offset": found.offset})


def read(path: Path) -> Projected:
    """Read a file written by `save`. Raises `ModelError` with one line for anything else."""
    return read_arrays(path, KEY, "photographs", _made)


def _made(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Projected:
    names, digests = (tuple(map(str, list(about[key]))) for key in ("names", "digests"))
    errors = tuple(map(float, list(about["errors"])))
    z, labels, offset = (arrays.get(key) for key in ("z", "labels", "offset"))
    if z is None or z.ndim != 2 or (offset is not None and offset.ndim != 4):
        raise ValueError("its arrays have unexpected shapes")
    if labels is not None and (labels.ndim, labels.dtype.name) not in ((1, "int64"), (2, "float32")):
        raise ValueError("its labels are neither classes nor attributes")
    rows = {len(one) for one in (names, digests, errors, z, labels, offset) if one is not None}
    if rows != {len(names)} or not names:
        raise ValueError(f"{len(names)} names for {sorted(rows)} rows")
    if any(one is not None and one.dtype != np.float32 for one in (z, offset)):
        raise ValueError("its numbers are not in float32")
    if not all(np.isfinite(one).all() for one in (errors, z, labels, offset) if one is not None):
        raise ValueError("some of its numbers are not finite")
    return Projected(names, digests, errors, z, labels, offset, str(about["model"]), str(about["settings"]))
