"""Wasserstein loss with gradient penalty (Gulrajani et al. 2017) and the paper's drift term (appendix A.1)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from growgan.losses.base import Critic, Loss, RandomSource, StepInfo, Terms, score_mean


class WganGp(Loss):
    """The paper's loss.

    D: E[D(fake)] - E[D(real)] + lambda / gamma^2 E[(|grad D(mixed)| - gamma)^2] + drift E[D(real)^2]; G: -E[D(fake)].
    """

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource, info: StepInfo
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: the scores, then the penalty."""
        scores, logits = D(torch.cat([reals, fakes]), parts=2)
        real, fake = scores.chunk(2)
        real_logits, fake_logits = logits.chunk(2)
        parts = {
            "wasserstein": fake.mean() - real.mean(),
            "drift": self.config.drift * real.square().mean(),
            **self.label_terms(real_logits, labels, "labels_real"),
            **self.label_terms(fake_logits, labels, "labels_fake"),
        }
        yield Terms(parts, score_mean("real", real) | score_mean("fake", fake))
        yield Terms({"penalty": self._penalty(D, reals, fakes, draws, info.enlargement)})

    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource) -> Terms:
        """See `Loss.g_terms`."""
        scores, logits = D(fakes)
        return Terms({"wasserstein": -scores.mean(), **self.label_terms(logits, labels)})

    def _penalty(self, D: Critic, reals: Tensor, fakes: Tensor, draws: RandomSource, enlargement: float) -> Tensor:
        """Squared distance of D's gradient norm from its target, at points between reals and fakes.

        The gradient is with respect to the image enlarged to the finished model's size, on which the original takes it
        at every stage. Enlarging by f spreads each pixel's gradient evenly over f^2 pixels, so its norm is the native
        one divided by f = `enlargement`.
        """
        mixed = torch.lerp(reals, fakes, draws.uniform("mix", 1, 1, 1)).requires_grad_()
        scores, _ = D(mixed)
        (gradient,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
        norm: Tensor = torch.linalg.vector_norm(gradient, dim=(1, 2, 3)) / enlargement
        target = self.config.gp_target
        return (norm - target).square().mean().mul(self.config.gp_weight / target**2)
