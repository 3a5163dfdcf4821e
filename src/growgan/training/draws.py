"""The random numbers of training: drawn by name for a whole minibatch, whichever process computes it.

Each micro-batch (and each process) takes its own rows, so that neither their number nor a resume changes the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from growgan.core import seeds
from growgan.devices import on_device
from growgan.losses import base as losses


class RandomSource(losses.RandomSource, Protocol):
    """Random numbers as a pass requests them: `Draws` or a stand-in."""

    def of(self, rows: Tensor) -> Self:
        """The same draws, for some rows of the minibatch."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws for a minibatch of `n` images at `nimg` on the clock; `rows`, int64, selects some of them."""

    seed: int
    step: str
    """Which step draws, "D" or "G", so that they get different numbers at the same time."""
    nimg: int
    n: int
    device: torch.device
    dtype: torch.dtype
    rows: Tensor | None = None

    def of(self, rows: Tensor) -> Draws:
        """The same draws, for some rows of the minibatch."""
        return replace(self, rows=rows)

    @property
    def count(self) -> int:
        """How many images they are for."""
        return self.n if self.rows is None else len(self.rows)

    def normal(self, name: str, *shape: int) -> Tensor:
        """N(0, 1), [rows, *shape]."""
        return self._taken(torch.randn((self.n, *shape), generator=self._generator(name)))

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform in [0, 1), [rows, *shape]."""
        return self._taken(torch.rand((self.n, *shape), generator=self._generator(name)))

    def integers(self, name: str, below: int) -> Tensor:
        """Uniform whole numbers in [0, below), [rows], on the CPU: for picking from tables."""
        values = torch.randint(below, (self.n,), generator=self._generator(name))
        return values if self.rows is None else values[self.rows]

    def _generator(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(seeds.derive(self.seed, f"{self.step}/{name}", self.nimg))

    def _taken(self, values: Tensor) -> Tensor:
        if self.rows is not None:
            values = values[self.rows]
        return on_device(values.to(self.dtype), self.device)
