"""The pictures of a model as measures see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import ConfigError, ModelError
from growgan.metrics.streams import Block
from growgan.sampling.model import Model

MOST_SEED = 4000


def block(seed: int) -> Block:
    """The random choices that ``--seed`` stands for. Raises `ConfigError`."""
    if not 0 <= seed <= MOST_SEED:
        raise ConfigError(f"--seed must lie between 0 and {MOST_SEED}, not {seed}")
    return Block(seed + 1)


class Fakes:
    """Pictures that a model makes, with labels drawn as those of its training."""

    def __init__(self, model: Model, seed: int = 0, batch: int = 16) -> None:
        if model.spec.channels not in (1, 3):
            raise ConfigError(
                f"measures are of grey or colour pictures; this model's have {model.spec.channels} channels"
            )
        if not all(weights.isfinite().all() for weights in model.G.parameters()):
            raise ModelError(f"{model.file.path} has weights that are not finite numbers")
        self.model = model
        self.batch = batch
        self.first = block(seed).fakes
        self.name = model.file.path.name
        self.resolution = model.resolution
        self.channels = model.spec.channels
        self.distinct: int | None = None
        self.key = f"model {model.file.hash} {self.first}"

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        seeds = range(self.first + start, self.first + stop)
        return np.concatenate(list(self.model.batches(seeds, batch=self.batch)))
