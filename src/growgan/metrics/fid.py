"""Fréchet inception distance (Heusel et al. 2017) between two sets of features, each modelled as a Gaussian.

It falls as the number of images grows, so only sets of one size are compared: ``fid50k`` is not ``fid10k``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from growgan.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and covariance of a set's features, float64."""

    mean: Tensor
    """[D]."""
    covariance: Tensor
    """[D, D], unbiased."""
    count: int
    """Number of images."""
    protocol: str
    """How the features were made; statistics of different protocols are never compared."""


def statistics(features: Iterable[Tensor], protocol: str) -> Statistics:
    """Accumulate the statistics of batches of features [n, D].

    Batches are merged by their own means (Chan, Golub and LeVeque 1979), so that large means cost no precision.
    """
    count, mean, scatter = 0, torch.zeros(0), torch.zeros(0)
    for batch in features:
        rows = batch.double()
        n, batch_mean = len(rows), rows.mean(0)
        centred = rows - batch_mean
        if not count:
            count, mean, scatter = n, batch_mean, centred.T @ centred
            continue
        delta = batch_mean - mean
        scatter.addmm_(centred.T, centred).addr_(delta, delta, alpha=count * n / (count + n))
        mean = mean + delta * (n / (count + n))
        count += n
    if count < 2:
        raise ConfigError("FID needs at least two images per set")
    return Statistics(mean, scatter / (count - 1), count, protocol)


def fid(a: Statistics, b: Statistics) -> float:
    """Return |mean a - mean b|^2 + tr(A + B - 2 sqrt(AB)).

    sqrt(AB) and the symmetric sqrt(sqrt(A) B sqrt(A)) have the same trace; the latter's eigenvalues are real, unlike
    those of a general matrix root when fewer images than features leave A and B singular.
    """
    if a.protocol != b.protocol:
        raise ConfigError(f"{a.protocol} features cannot be compared with {b.protocol} features")
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = root @ b.covariance @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    spread = a.covariance.trace() + b.covariance.trace() - 2 * overlap
    distance: float = ((a.mean - b.mean).square().sum() + spread).item()
    return max(distance, 0.0)
