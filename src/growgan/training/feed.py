"""Real pictures as D sees them at a given moment of the run."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from growgan.augment.changes import mirror
from growgan.core.config import RunConfig
from growgan.core.schedule import Phase
from growgan.devices import Machine, on_device
from growgan.networks.resample import downscale, lerp, upscale
from growgan.training.draws import Draws
from growgan.training.microbatches import own_rows, parts
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState

Values = np.ndarray | Tensor
"""What the dataset yields: arrays, or tensors on any device."""


class Pictures(Protocol):
    """An endless shuffled stream of pictures: `resident.Resident`."""

    def prepare(self, state: TrainState, phase: Phase) -> None:
        """Prepare for steps like those of `phase`, which are about to begin or continue."""

    def batch(self, nimg: int, n: int, resolution: int, rows: np.ndarray | None = None) -> tuple[Values, Values | None]:
        """Pictures nimg .. nimg + n - 1 of the stream, or `rows` of these: uint8 [rows, C, S, S], and their labels."""


class BatchSource(Protocol):
    """Where a training step gets its reals and labels from: a `Feed` or a stand-in."""

    def reals(self, nimg: int, phase: Phase) -> tuple[Tensor, Tensor | None]:
        """This process's images of the minibatch at `nimg`, and their labels.

        Images [own N, C, S, S] in [-1, 1] at the phase's size and fade, in the order of `TrainState.parts`.
        """

    def random_labels(self, draws: Draws) -> Tensor | None:
        """Labels drawn from the training set's, for the fakes of some draws; None without labels."""


class Feed:
    """The stream of reals, a pure function of the clock: mirrored, and faded as the networks are."""

    def __init__(
        self,
        pictures: Pictures,
        label_table: np.ndarray | None,
        config: RunConfig,
        machine: Machine,
        ranks: Ranks = ALONE,
    ) -> None:
        self.pictures = pictures
        self.config = config
        self.ranks = ranks
        self.device = machine.device
        self.dtype = machine.dtype
        self.labels = torch.from_numpy(label_table) if label_table is not None and config.network.num_labels else None

    def prepare(self, state: TrainState, phase: Phase) -> None:
        """Prepare for steps like those of `phase`. Called before every step."""
        self.pictures.prepare(state, phase)

    def reals(self, nimg: int, phase: Phase) -> tuple[Tensor, Tensor | None]:
        """This process's images of the minibatch at `nimg`, and their labels: see `BatchSource.reals`."""
        n, config, ranks = phase.minibatch, self.config, self.ranks
        rows = own_rows(parts(n, config.execution.microbatch, config.network, ranks.rank, ranks.world))
        if not len(rows):
            return torch.empty(0), None
        pixels, labels = self.pictures.batch(nimg, n, phase.resolution, rows.numpy())
        x = on_device(torch.as_tensor(pixels), self.device).to(self.dtype) * (2 / 255) - 1
        if self.config.data.mirror:
            draws = Draws(self.config.seed, "D", nimg, n, self.device, torch.float32, rows)
            x = mirror(x, draws.uniform("mirror") < 0.5)
        # Reals fade too: otherwise D would recognise them by a sharpness that G cannot have yet.
        if phase.fading:
            x = lerp(upscale(downscale(x)), x, phase.alpha)
        if self.labels is None or labels is None:
            return x, None
        return x, on_device(torch.as_tensor(labels), self.device)

    def random_labels(self, draws: Draws) -> Tensor | None:
        """Labels drawn from the training set's, for the fakes of some draws."""
        if self.labels is None:
            return None
        return on_device(self.labels[draws.integers("labels", len(self.labels))], self.device)
