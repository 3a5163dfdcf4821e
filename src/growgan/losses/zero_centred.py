"""Penalties on D's gradients that are centred at zero: R1 on reals, R2 on fakes (Mescheder et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from growgan.core.schedule import between
from growgan.losses.base import Loss, StepInfo


class ZeroCentred(Loss):
    """A loss with gamma/2 E[|grad D(x)|^2] on reals (r1), fakes (r2) or both.

    The gradient is with respect to the stage's images, at their own size. The penalty may be lazy (Karras et al. 2020,
    StyleGAN2, appendix B): taken only at every `r1_interval`-th update, with that many times the weight.
    """

    def watched(self, images: Tensor, names: tuple[str, ...], info: StepInfo) -> Tensor:
        """Images for D's step, which require a gradient if one of the penalties `names` is taken in it."""
        return images.detach().requires_grad_(info.penalised and any(self._gamma(name, info) for name in names))

    def penalties(self, scores: Tensor, images: Tensor, names: tuple[str, ...], info: StepInfo) -> dict[str, Tensor]:
        """The penalties `names`, one for each of the equal parts of a `watched` batch.

        In steps without lazy penalties they are 0, so that every step of a stage has the same stats.
        """
        gammas = {name: self._gamma(name, info) for name in names}
        if not images.requires_grad:
            return {name: scores.new_zeros(()) for name, gamma in gammas.items() if gamma}
        (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        squares = gradient.square().sum(dim=(1, 2, 3)).chunk(len(names))
        weight = 0.5 * self.config.r1_interval * between(1.0, self.config.gamma_end, info.progress)
        return {name: weight * gamma * part.mean() for (name, gamma), part in zip(gammas.items(), squares) if gamma}

    def _gamma(self, name: str, info: StepInfo) -> float:
        """gamma at the start of the run."""
        config = self.config
        return config.r1_gamma(info.resolution) if name == "r1" else config.r2(info.resolution)
