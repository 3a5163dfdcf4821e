"""Augmentation of everything D sees, and its strength: fixed, or adapted to D's overfitting (ADA)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from growgan.augment.changes import NUMBERS, augment
from growgan.core.augmentation import AugmentConfig
from growgan.core.schedule import Phase, between

Scores = tuple[Tensor, Tensor]


class RandomSource(Protocol):
    """Random numbers by name, one row per image."""

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform in [0, 1), [N, *shape]."""


class Augment:
    """The augmentation of a run.

    Adaptive (Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", section 3): if D gives
    more than a certain share of its reals the sign of a real, it has begun to memorise them. r = E[sign(D(real))] is
    held at a target by raising and lowering p in small steps.
    """

    def __init__(self, config: AugmentConfig, device: torch.device, shortened: float = 1.0) -> None:
        """shortened: factor on the length over which p can move from 0 to 1."""
        self.config = config
        self.images = 1000 * config.kimg * shortened
        self.state = {name: torch.zeros((), device=device) for name in ("signs", "count")} if config.adaptive else {}
        """Kept from step to step, saved and restored with the run: p, and the signs seen since it last moved."""
        if config.adaptive:
            self.state["p"] = torch.full((), config.start, device=device)

    def p(self, progress: float) -> Tensor | float:
        """Probability of each change to each image; adaptive: on the device. progress: see `Phase.progress`."""
        return self.state["p"] if self.config.adaptive else between(self.config.start, self.config.p_end, progress)

    def works_at(self, resolution: int) -> bool:
        """Whether images of this size are augmented."""
        return bool(self.config.changes) and resolution >= self.config.from_resolution

    def before(
        self, critic: Callable[..., Scores], draws: RandomSource, progress: float = 0.0
    ) -> Callable[..., Scores]:
        """`critic` on augmented images, with separate draws for every batch and for each of its equal parts.

        Gradients with respect to the images pass through the augmentation to the original images.
        """
        passes, p = 0, self.p(progress)

        def augmented(x: Tensor, *, parts: int = 1, **options: Any) -> Scores:
            nonlocal passes
            numbers = torch.cat([draws.uniform(f"augment/{passes + part}", NUMBERS) for part in range(parts)])
            passes += parts
            return critic(augment(x, self.config.changes, numbers, p), parts=parts, **options)

        return augmented

    @torch.no_grad()
    def after_d_step(self, seen: dict[str, Tensor], phase: Phase, step: int) -> None:
        """Record the mean sign of D's scores in a step that augmented its reals, and move p if it is due.

        seen: the step's means. step: its number; p moves at every `interval`-th.
        """
        state, config = self.state, self.config
        if not (config.adaptive and self.works_at(phase.resolution)):
            return
        state["signs"] += (seen["sign"] * phase.minibatch).round()  # whole, so that rounding cannot decide where p goes
        state["count"] += phase.minibatch
        if (step + 1) % config.interval == 0:
            beyond = torch.sign(state["signs"] - config.target * state["count"])
            state["p"].add_(beyond * state["count"] / self.images).clamp_(0, config.p_max)
            for name in ("signs", "count"):
                state[name].zero_()
