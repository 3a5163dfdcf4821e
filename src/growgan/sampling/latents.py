"""Seeds: one number stands for one latent vector and, with classes, for a label as well.

Seed s is ``numpy.random.RandomState(s).standard_normal(L)``, the authors' own generator, so that a seed means the same
picture in every version. Its label is drawn by the same generator after the latent.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

MOST_ROWS = 1000
"""Label rows that a multi-label model keeps as its distribution."""

Label = int | Sequence[float] | npt.NDArray[Any]
"""A class, or K numbers: attributes, or the weights of a mixture of classes, which add up to 1."""
MIXED = 1e-3
"""Tolerance for that sum."""


def label_distribution(labels: np.ndarray | None, num_labels: int, multi_label: bool) -> dict[str, Any]:
    """A model's record of its training labels: counts per class, or up to 1,000 rows of attributes; JSON values."""
    if labels is None or not num_labels:
        return {}
    if not multi_label:
        classes = labels if labels.ndim == 1 else labels.argmax(1)
        return {"counts": np.bincount(classes, minlength=num_labels).tolist()}
    rows = np.linspace(0, len(labels) - 1, min(len(labels), MOST_ROWS)).astype(int)
    return {"rows": labels[rows].tolist()}


def draw(
    seeds: Sequence[int], spec: NetworkSpec, distribution: dict[str, Any], label: Label | None = None
) -> tuple[Tensor, Tensor | None]:
    """The result of `draw_arrays` as tensors on the CPU."""
    import torch

    z, labels = draw_arrays(seeds, spec, distribution, label)
    return torch.from_numpy(z), torch.from_numpy(labels) if labels is not None else None


def draw_arrays(
    seeds: Sequence[int] | npt.NDArray[Any], spec: NetworkSpec, distribution: dict[str, Any], label: Label | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Latents float32 [N, L] and labels of the seeds: int64 [N], float32 [N, K], or None without labels.

    label: one for all, instead of each seed's own. Raises `ConfigError` if the model does not have it.
    """
    latents, labels = [], []
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise ConfigError(f"a seed must be between 0 and {2**32 - 1}, not {seed}")
        random = np.random.RandomState(seed)
        latents.append(random.standard_normal(spec.z_size))
        if spec.num_labels and label is None:
            labels.append(_drawn_label(random, spec, distribution))
    z = np.reshape(latents, (len(seeds), spec.z_size)).astype(np.float32)
    if not spec.num_labels:
        if label is not None:
            raise ConfigError("this model has no classes")
        return z, None
    if label is not None:
        labels = [_checked_label(label, spec)] * len(z)
    return z, np.stack(labels) if labels else no_labels(spec)


def no_labels(spec: NetworkSpec) -> np.ndarray:
    """Labels for zero pictures."""
    return np.zeros((0, spec.num_labels), dtype=np.float32) if spec.multi_label else np.zeros(0, dtype=np.int64)


def check_labels(labels: np.ndarray | None, count: int, spec: NetworkSpec) -> None:
    """Raise `ConfigError` if these are not labels of `count` pictures: int [count] or float [count, K]."""
    if not spec.num_labels:
        if labels is not None:
            raise ConfigError("this model has no classes")
        return
    fits = labels is not None and labels.shape == (count, spec.num_labels)
    if labels is not None and labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        fits = len(labels) == count and bool(((labels >= 0) & (labels < spec.num_labels)).all())
    if not fits:
        numbers = f"numbers [{count}, {spec.num_labels}]"
        raise ConfigError(
            f"{count} pictures of this model take labels: 0 to {spec.num_labels - 1} [{count}], or {numbers}"
        )
    if labels is not None and labels.ndim == 2:
        check_mixture(labels, spec)


def check_mixture(labels: np.ndarray, spec: NetworkSpec) -> None:
    """Raise `ConfigError` for numbers [..., K] that are not finite or, with classes, weights that do not add up to 1.

    An example is a list of K classes meant for K pictures.
    """
    if not np.isfinite(labels).all():
        raise ConfigError("labels must be finite numbers")
    if not spec.multi_label and (np.abs(labels.sum(-1) - 1) > MIXED).any():
        told = "for a class for each picture, give integers [N] to render"
        raise ConfigError(
            f"a mixture of {spec.num_labels} classes is {spec.num_labels} weights that add up to 1; {told}"
        )


def _drawn_label(random: np.random.RandomState, spec: NetworkSpec, distribution: dict[str, Any]) -> np.ndarray:
    if "rows" in distribution:
        rows = distribution["rows"]
        return np.asarray(rows[random.randint(len(rows))], dtype=np.float32)
    counts = np.asarray(distribution.get("counts", [1] * spec.num_labels), dtype=np.float64)
    return np.asarray(random.choice(spec.num_labels, p=counts / counts.sum()), dtype=np.int64)


def _checked_label(label: Label, spec: NetworkSpec) -> np.ndarray:
    if isinstance(label, str):  # type: ignore[unreachable]
        raise ConfigError(f"a class is a number here; model.label({label!r}) has that of a name")
    with suppress(TypeError):  # K numbers are not an index
        label = operator.index(label)  # type: ignore[arg-type]
    if isinstance(label, int):
        if not 0 <= label < spec.num_labels:
            raise ConfigError(f"unknown class {label}: this model has classes 0 to {spec.num_labels - 1}")
        if not spec.multi_label:
            return np.asarray(label, dtype=np.int64)
        return np.asarray(np.eye(spec.num_labels)[label], dtype=np.float32)
    try:
        values = np.asarray(label, dtype=np.float32)
    except (TypeError, ValueError):
        values = np.full(0, np.nan, dtype=np.float32)
    if values.shape != (spec.num_labels,):
        raise ConfigError(
            f"a label for all pictures is a class by number or name, or {spec.num_labels} numbers, not {label!r}"
        )
    check_mixture(values, spec)
    return values
