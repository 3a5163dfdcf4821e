"""Training in your own loop, on pictures drawn by the program: python examples/grow_by_hand.py discs.safetensors

What `growgan train` adds around it (a dataset of files, ticks, snapshots, resuming) is left out.
Takes half a minute on one core.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import growgan
from growgan.core.config import ExecutionConfig
from growgan.core.presets import PRESETS
from growgan.core.schedule import Phase, Schedule
from growgan.devices import set_up
from growgan.models.native import save_model
from growgan.networks.resample import downscale, lerp, upscale
from growgan.training.draws import Draws
from growgan.training.loop import begin_round
from growgan.training.state import TrainState
from growgan.training.step import train_step

SIZE = 16


class Discs:
    """Coloured discs at random places on black, as a `training.feed.Source`."""

    def reals(self, nimg: int, phase: Phase) -> tuple[Tensor, None]:
        """A minibatch [N, 3, S, S] in [-1, 1], at the networks' current size and fade."""
        random = torch.Generator().manual_seed(nimg)
        x, y, radius = (
            torch.rand(phase.minibatch, 1, 1, generator=random) * s + o for s, o in ((8, 4), (8, 4), (3, 3))
        )
        grid = torch.arange(SIZE) + 0.5
        inside = (grid - x) ** 2 + (grid[:, None] - y) ** 2 < radius**2
        images = inside[:, None] * torch.rand(phase.minibatch, 3, 1, 1, generator=random) * 2 - 1
        while images.shape[-1] > phase.resolution:
            images = downscale(images)
        return (lerp(upscale(downscale(images)), images, phase.alpha) if phase.fading else images), None

    def random_labels(self, draws: Draws) -> None:
        """No classes."""


def main(out: str, kimg: float = 12) -> None:
    """Grow from 4x4 to 16x16."""
    config = PRESETS["tiny"]()
    config = replace(
        config,
        network=replace(config.network, resolution=SIZE),
        schedule=replace(config.schedule, scale=kimg / config.schedule.total_kimg),
    )
    state = TrainState(config, set_up(ExecutionConfig(device="cpu", precision="float32")))
    schedule = Schedule(config.schedule, config.optim, SIZE)
    while state.nimg < schedule.total:
        phase = begin_round(state, schedule)
        for _ in range(config.schedule.minibatch_repeats):
            figures = train_step(state, phase, Discs())
        if state.nimg % 1024 < 32:
            print(f"{state.nimg:6d} {phase.resolution:3d} {phase.alpha:.2f} D {figures['D/loss']:.3f}")
    networks = {"G_ema": state.G_ema, "G": state.G, "D": state.D}
    save_model(Path(out), networks, training={"nimg": state.nimg, "growgan": growgan.__version__})
    growgan.load(out).preview().save(Path(out).with_suffix(".png"))


if __name__ == "__main__":
    main(sys.argv[1])
