"""Least squares loss (Mao et al. 2016) with the paper's adaptive noise in D (appendix B)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from growgan.core.config import LossConfig
from growgan.losses.base import Critic, Loss, RandomSource, StepInfo, Terms, score_mean


class Lsgan(Loss):
    """D: E[D(real)^2] + 0.1 E[(D(fake) - 1)^2]; G: E[D(fake)^2]. D's target is 1 for fakes and 0 for reals.

    When D becomes too sure of the fakes, the inputs of all its convolutions are multiplied by noise, which grows with
    its certainty: strength 0.2 max(0, d - 0.5)^2, with d the moving average of D(fake), clipped to [0, 1].
    """

    def __init__(self, config: LossConfig, multi_label: bool) -> None:
        super().__init__(config, multi_label)
        self.state["d"] = torch.zeros(())

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource, info: StepInfo
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: the reals, then the fakes."""
        real, logits = D(reals, on_input=self._noise(draws, "real"))
        yield Terms(
            {"real": real.square().mean(), **self.label_terms(logits, labels, "labels_real")},
            score_mean("real", real),
        )
        fake, logits = D(fakes, on_input=self._noise(draws, "fake"))
        yield Terms(
            {"fake": 0.1 * (fake - 1).square().mean(), **self.label_terms(logits, labels, "labels_fake")},
            score_mean("fake", fake),
        )

    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource) -> Terms:
        """See `Loss.g_terms`."""
        fake, logits = D(fakes, on_input=self._noise(draws, "fake"))
        return Terms({"fake": fake.square().mean(), **self.label_terms(logits, labels)})

    def after_d_step(self, stats: dict[str, Tensor]) -> None:
        """Move d toward the mean score of the step's fakes."""
        d = self.state["d"] = self.state["d"].to(stats["score_fake"])
        d.mul_(0.9).add_(0.1 * stats["score_fake"].clamp(0, 1))  # in place, where recorded passes read it

    @property
    def strength(self) -> Tensor:
        """Strength of the noise, a scalar."""
        return self.config.lsgan_noise * (self.state["d"] - 0.5).clamp(min=0).square()

    def _noise(self, draws: RandomSource, part: str) -> Callable[[str, Tensor], Tensor]:
        def multiply(layer: str, x: Tensor) -> Tensor:
            channels = x.shape[1]
            noise = draws.normal(f"noise/{part}/{layer}", channels, *[1] * (x.dim() - 2)).to(x)
            return x * (1 + noise * (self.strength.to(x) * math.sqrt(channels)))

        return multiply
