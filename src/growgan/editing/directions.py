"""Directions in latent space along which pictures change in one respect, and latents that are moved along them.

Two ways to find some. `of_weights` (Shen and Zhou 2021, SeFa) needs no pictures: where the first layer reacts the most,
the pictures change the most. `of_labels` (Shen et al. 2020, InterFaceGAN) fits what a person said of some seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from growgan.core.errors import ConfigError
from growgan.editing.files import read_arrays, save_arrays
from growgan.sampling.base import BaseModel
from growgan.sampling.latents import draw_arrays

KEY = "growgan.directions"
"""Metadata of a file of directions."""
FEWEST = 20
"""Labels of which a direction can be fitted."""
SAME = 1e-9
"""What labels differ by that are equal, beside the largest."""
LEAST_LEFT = 1e-3
"""Length below which what is left of a unit vector is nothing but rounding."""
RIDGES = np.logspace(-3, 4, 29)
"""Weights of the penalty that are tried for a fit."""


@dataclass(frozen=True)
class Directions:
    """Unit vectors with names."""

    vectors: np.ndarray
    """Float32 [K, L]."""
    names: tuple[str, ...]
    weights: tuple[float, ...]
    """What speaks for each: of `of_weights` how strongly the first layer reacts, over the root mean square of all its
    directions; of `of_labels` the part of the labels' variance that those of other seeds predict: 1 all, 0 nothing."""
    method: str
    """``weights`` or ``labels``."""
    model: str
    """SHA-256 of the model file that they were found in."""

    def of(self, name: str) -> np.ndarray:
        """The vector [L] of a name. Raises `ConfigError` for one that is not there."""
        if name not in self.names:
            known = ", ".join([*self.names[:20], *(["..."] if len(self.names) > 20 else [])])
            raise ConfigError(f"unknown direction {name!r}; choose from: {known}")
        vector: np.ndarray = self.vectors[self.names.index(name)]
        return vector

    def move(self, z: np.ndarray, moves: Mapping[str, float]) -> np.ndarray:
        """Latents float32 [..., L] moved; 1 is as far as a latent is long, and each keeps its length."""
        length = np.linalg.norm(z, axis=-1, keepdims=True)
        step = sum((amount * self.of(name) for name, amount in moves.items()), np.zeros(z.shape[-1]))
        there = z + length * step
        return np.asarray(there * (length / np.linalg.norm(there, axis=-1, keepdims=True)), dtype=np.float32)

    def check(self, model: BaseModel) -> None:
        """Raise `ConfigError` if the model's latents are of another length."""
        if self.vectors.shape[1] != model.spec.z_size:
            numbers = f"{self.vectors.shape[1]} numbers, and the model's have {model.spec.z_size}"
            raise ConfigError(f"these directions are for latents of {numbers}")


def of_weights(model: BaseModel, count: int) -> Directions:
    """The `count` directions to which the first dense layer reacts the most, named ``0``, ``1``, ...

    They are the eigenvectors of WᵀW with the largest eigenvalues, W being the part of that layer's weight that meets
    the latent. Of either sign the one is taken that makes the largest component positive. Raises `ConfigError`.
    """
    weight = model.first_weight()
    if not 1 <= count <= weight.shape[1]:
        raise ConfigError(f"--count must be between 1 and {weight.shape[1]} for this model, not {count}")
    values, vectors = np.linalg.eigh(weight.T.astype(np.float64) @ weight)
    strongest = vectors.T[::-1][:count]
    largest = np.abs(strongest).argmax(axis=1)
    strongest = strongest * np.sign(strongest[np.arange(count), largest])[:, None]
    gains = np.sqrt(np.maximum(values[::-1], 0))
    shown = tuple(float(gain) for gain in gains[:count] / np.sqrt(np.mean(np.square(gains))))
    names = tuple(map(str, range(count)))
    return Directions(strongest.astype(np.float32), names, shown, "weights", model.file.hash)


def of_labels(model: BaseModel, said: Mapping[str, Mapping[int, float]]) -> Directions:
    """A direction for each attribute, of what was said of some seeds: name -> seed -> a number, such as 0 or 1.

    A linear fit to the normalised latents, with a penalty on its length that predicts each label best from all others.
    Raises `ConfigError` for too few labels, or such as are all equal.
    """
    if not said:
        raise ConfigError("fitting a direction needs labels for some seeds")
    vectors, scores = [], []
    for name, labels in said.items():
        values = np.array(list(labels.values()), dtype=np.float64)
        largest = np.abs(values).max(initial=0)
        values = values / largest if largest > 0 else values  # so that no square is too large or too small a number
        if len(values) < FEWEST or not np.ptp(values) > SAME:
            raise ConfigError(f"{name!r} needs at least {FEWEST} labels, not all equal; it has {len(values)}")
        z, _ = draw_arrays(list(labels), model.spec, model.distribution)
        vector, score = _fitted(z / np.linalg.norm(z, axis=1, keepdims=True), values)
        vectors.append(vector)
        scores.append(score)
    return Directions(np.stack(vectors).astype(np.float32), tuple(said), tuple(scores), "labels", model.file.hash)


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit vector [L] of a ridge regression, and the part of y's variance that is predicted of a row by its others."""
    centre = x.mean(axis=0)
    u, s, vt = np.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - y.mean())
    alone = np.square((y - y.mean()) / (1 - 1 / len(y))).mean()  # the error of predicting by the others' mean
    best: tuple[float, np.ndarray] | None = None
    for ridge in RIDGES * np.mean(s**2):
        kept = s**2 / (s**2 + ridge)
        fitted = y.mean() + u @ (kept * inside)
        leverage = 1 / len(y) + np.square(u) @ kept
        # Each row predicted without itself, in closed form.
        error = float(np.mean(np.square((y - fitted) / np.maximum(1 - leverage, 1e-9))))
        if best is None or error < best[0]:
            best = error, vt.T @ (kept / np.maximum(s, 1e-12) * inside)
    assert best is not None
    error, vector = best
    return vector / np.linalg.norm(vector), max(0.0, 1 - error / float(alone))


def without(found: Directions, names: Sequence[str]) -> Directions:
    """The same, freed of what they share with those of `names`, which stay: InterFaceGAN's conditional manipulation.

    Their weights stay those of what they were before.
    Raises `ConfigError` for a name that is not there, or a direction of which nothing is left.
    """
    if not names:
        return found
    _, shares, rows = np.linalg.svd(
        np.stack([found.of(name) for name in names]).astype(np.float64), full_matrices=False
    )
    basis = rows[shares > LEAST_LEFT]  # some may be nearly the same
    freed = found.vectors - (found.vectors @ basis.T) @ basis
    lengths = np.linalg.norm(freed, axis=1)
    for i, name in enumerate(found.names):
        if name in names:
            freed[i], lengths[i] = found.vectors[i], 1.0
        elif lengths[i] < LEAST_LEFT:
            raise ConfigError(f"nothing is left of direction {name!r} without {', '.join(names)}")
    return replace(found, vectors=(freed / lengths[:, None]).astype(np.float32))


def together(first: Directions, *others: Directions) -> Directions:
    """All of several sets of directions of one model; a later one takes the place of an earlier one of its name.

    Raises `ConfigError` for those of several models.
    """
    parts = (first, *others)
    if len({one.model for one in parts}) > 1:
        raise ConfigError("directions of different models cannot be combined: their latents have nothing in common")
    rows = {name: row for one in parts for name, row in zip(one.names, zip(one.vectors, one.weights))}
    vectors, weights = zip(*rows.values())
    methods = dict.fromkeys(method for one in parts for method in one.method.split("+"))
    return Directions(np.stack(vectors), tuple(rows), tuple(weights), "+".join(methods), first.model)


def save(path: str | Path, found: Directions) -> None:
    """Write a .safetensors file, whole or not at all."""
    about = {"names": found.names, "weights": found.weights, "method": found.method, "model": found.model}
    save_arrays(Path(path), KEY, about, {"directions": found.vectors})


def read(path: Path) -> Directions:
    """Read what `save` wrote. Raises `ModelError` with one line for anything else."""
    return read_arrays(path, KEY, "directions", _made)


def _made(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Directions:
    vectors = arrays["directions"]
    names, weights = tuple(map(str, list(about["names"]))), tuple(map(float, about["weights"]))
    if vectors.ndim != 2 or not 0 < len(names) == len(set(names)) == len(weights) == len(vectors):
        raise ValueError(f"{len(names)} names for {list(vectors.shape)} numbers")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    if vectors.dtype != np.float32 or not np.isfinite(weights).all() or not np.allclose(lengths, 1, atol=1e-3):
        raise ValueError("not unit vectors in float32")
    return Directions(vectors, names, weights, str(about["method"]), str(about["model"]))
