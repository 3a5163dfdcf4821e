"""Inception Score (Salimans et al. 2016): high if each picture shows one class, and the set many.

It uses no real pictures and knows only ImageNet's classes: it says little about faces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from growgan.core.errors import ConfigError

SPLITS = 10


class InceptionScore(NamedTuple):
    """From 1 to the number of classes; higher is better. Mean and standard deviation over ten parts of the set."""

    value: float
    deviation: float


def inception_score(probabilities: Tensor) -> InceptionScore:
    """Return exp(mean KL(p(y | x), p(y))) of class probabilities [N, K], N at least 10."""
    if len(probabilities) < SPLITS:
        raise ConfigError(f"the Inception Score needs at least {SPLITS} images, as it is a mean over {SPLITS} parts")
    parts = np.array_split(probabilities.double().numpy(), SPLITS)
    scores = [_score(torch.from_numpy(part)) for part in parts]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(p: Tensor) -> float:
    entropies = torch.special.entr(p).sum(1).mean()
    marginal = torch.special.entr(p.mean(0)).sum()
    return float((marginal - entropies).exp().item())
