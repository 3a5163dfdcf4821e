"""What every loss has in common: its two sets of terms, and the label terms of a conditional model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.core.config import LossConfig


class Critic(Protocol):
    """D at the current stage: images to (scores [N, 1], logits [N, K])."""

    def __call__(
        self, x: Tensor, *, parts: int = 1, on_input: Callable[[str, Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scores and logits of a batch of `parts` equal parts."""


class RandomSource(Protocol):
    """Random numbers by name, one row per image."""

    def normal(self, name: str, *shape: int) -> Tensor:
        """N(0, 1), [N, *shape]."""

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform in [0, 1), [N, *shape]."""


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What a loss needs to know about an update of D."""

    resolution: int
    """Side of the stage's images in pixels."""
    enlargement: float = 1.0
    """Side of the finished model's images, relative to the stage's."""
    penalised: bool = True
    """Whether lazy penalties are taken in this update."""
    progress: float = 0.0
    """See `Phase.progress`."""


@dataclass
class Terms:
    """The named parts that add up to a loss, and statistics for the log that are not part of it."""

    parts: dict[str, Tensor]
    stats: dict[str, Tensor] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """The loss itself, a scalar."""
        return torch.stack(list(self.parts.values())).sum()


class Loss(ABC):
    """The terms of a D step and of a G step; only the training step calls backward."""

    def __init__(self, config: LossConfig, multi_label: bool) -> None:
        self.config = config
        self.multi_label = multi_label
        self.state: dict[str, Tensor] = {}
        """What the loss remembers from step to step; saved and restored with the run."""

    @abstractmethod
    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource, info: StepInfo
    ) -> Iterator[Terms]:
        """Terms of D's loss, means over images, in groups that share no computation.

        Each group must be backpropagated before the next is requested, so that the graphs of several groups need not be
        in memory together.

        reals, fakes: [N, C, S, S], without gradient to G. labels: those of the reals, with which the fakes were made
        too.
        """

    @abstractmethod
    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource) -> Terms:
        """Terms of G's loss, means over images. labels: those of the fakes; `reals`, D's last ones, have others."""

    def after_d_step(self, stats: dict[str, Tensor]) -> None:  # noqa: B027 (most losses remember nothing)
        """Update `state` from the last D step's statistics, means over its images."""

    def label_terms(self, logits: Tensor, labels: Tensor | None, name: str = "labels") -> dict[str, Tensor]:
        """The AC-GAN term (paper, appendix A; Odena et al. 2017): none without labels.

        One class: softmax cross-entropy with the class, int64 [N], or a mixture, float [N, K]. Attributes: the sum of K
        sigmoid cross-entropies, the joint log-likelihood of independent attributes.
        """
        if labels is None or not logits.shape[1]:
            return {}
        if self.multi_label:
            each = F.binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none").sum(dim=1)
        else:
            target = labels if labels.dim() == 1 else labels.to(logits)
            each = F.cross_entropy(logits, target, reduction="none")
        return {name: self.config.label_weight * each.mean()}


def sign_mean(scores: Tensor) -> dict[str, Tensor]:
    """The mean sign of D's scores: r of adaptive augmentation (Karras et al. 2020), from -1 to 1."""
    return {"sign": scores.detach().sign().mean()}


def score_mean(name: str, scores: Tensor) -> dict[str, Tensor]:
    """The mean score of the images of that name, for the log."""
    return {f"score_{name}": scores.detach().mean()}
