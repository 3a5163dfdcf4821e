"""Small runs for the tests of training: a set of pictures in memory, and a configuration that is over in seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from growgan.core.augmentation import AugmentConfig
from growgan.core.config import RunConfig
from growgan.core.fields import per
from growgan.core.presets import preset
from growgan.core.schedule import Schedule
from growgan.data.sampler import Sampler
from growgan.devices import Machine
from growgan.training.feed import Feed
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState


class Memory:
    """Pictures [N, C, S, S] uint8 in memory, served as `data.sampler.Loader` serves them."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray | None = None, seed: int = 1) -> None:
        self.pictures, self.labels = pictures, labels
        self.sampler = Sampler(len(pictures), seed)

    def prepare(self, state, phase) -> None: ...

    def batch(
        self, nimg: int, n: int, resolution: int, own: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        rows = self.sampler.indices(nimg, n)
        rows = rows if own is None else rows[own]
        x = self.pictures[rows].astype(np.float32)
        while x.shape[-1] > resolution:
            x = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
        return np.rint(x).astype(np.uint8), None if self.labels is None else self.labels[rows]


def half_and_half(count: int = 64, size: int = 8, channels: int = 3) -> np.ndarray:
    """Pictures that are bright above and dark below, each with a tint of its own."""
    random = np.random.RandomState(5)
    tint = random.randint(0, 40, (count, channels, 1, 1))
    ramp = np.where(np.arange(size) < size // 2, 200, 30)[None, None, :, None]
    return (np.broadcast_to(ramp, (count, channels, size, size)) + tint).astype(np.uint8)


def small(resolution: int = 8, **schedule: object) -> RunConfig:
    """A run of a few steps a stage, minibatch 4, two minibatches a round."""
    config = preset("tiny")
    values = {
        "training_kimg": per(0.04),
        "transition_kimg": per(0.04),
        "total_kimg": 0.16,
        "minibatch": per(4),
        "minibatch_repeats": 2,
        "tick_kimg": per(0.04),
        **schedule,
    }
    network = replace(config.network, resolution=resolution, fmap_base=32, fmap_max=8, latent_size=8)
    return replace(config, network=network, schedule=replace(config.schedule, **values))


RECIPES = ("wgan_gp", "lsgan", "logistic", "augmented", "scheduled")
"""What a run may be made of that its parts, its processes and its ends must not change."""


def recipe(config: RunConfig, name: str) -> RunConfig:
    """`config` with one of `RECIPES`."""
    if name == "augmented":  # so fast that p moves in a run of some hundred images
        augment = AugmentConfig(
            policy="colour,translation,cutout", from_resolution=8, strength="adaptive", p=0.5, kimg=0.3, interval=2
        )
        return replace(recipe(config, "logistic"), augment=augment)
    if name == "scheduled":
        loss = replace(config.loss, name="relativistic", r1_interval=2, gamma_end=0.1)
        optim = replace(config.optim, lr_end=0.25, beta2=0.9, beta2_end=0.99, ema_kimg=0.0, ema_kimg_end=0.1)
        augment = AugmentConfig(policy="colour", from_resolution=4, p=0.0, p_end=0.6)
        return replace(config, loss=loss, optim=optim, augment=augment)
    return replace(config, loss=replace(config.loss, name=name))


def begin(config: RunConfig, pictures: np.ndarray, labels: np.ndarray | None = None, ranks: Ranks = ALONE):
    """State, schedule and feed of a run on the CPU."""
    precision = config.execution.precision
    machine = Machine(torch.device("cpu"), dtype=torch.float64 if precision == "float64" else torch.float32)
    state = TrainState(config, machine, ranks, keep=True)
    schedule = Schedule(config.schedule, config.optim, config.network.resolution)
    return state, schedule, Feed(Memory(pictures, labels), labels, config, machine, ranks)


class Quiet:
    """Callbacks that only count."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.ticks: list[tuple[int, dict[str, float]]] = []
        self.stages: list[int] = []
        self.saved: list[int] = []

    def after_step(self, state, phase, stats, seconds) -> None:
        self.steps.append(state.nimg)

    def after_tick(self, state, phase, last) -> None:
        self.ticks.append((state.nimg, {k: v.item() / state.tick_steps for k, v in state.tick_sums.items()}))

    def before_stage(self, state, phase) -> None: ...

    def after_stage(self, state, phase) -> None:
        self.stages.append(phase.resolution)

    def save(self, state, phase, grid, leaving) -> None:
        self.saved.append(state.nimg)
