"""Non-saturating logistic loss (Goodfellow et al. 2014) with the R1 penalty (Mescheder et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.losses.base import At, Critic, Draws, Loss, Terms, score_mean, sign_mean


class Logistic(Loss):
    """D: E[softplus(D(fake))] + E[softplus(-D(real))] + gamma/2 E[|grad D(real)|^2]; G: E[softplus(-D(fake))].

    R1 takes the gradient by the images of the stage, at their own size. It may be lazy (Karras et al. 2020, StyleGAN2,
    appendix B): taken at every `r1_interval`-th update alone, times as heavy.
    """

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: Draws, at: At
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: the fakes, then the reals with their penalty."""
        fake, logits = D(fakes)
        yield Terms(
            {"fake": F.softplus(fake).mean(), **self.label_terms(logits, labels, "labels_fake")},
            score_mean("fake", fake),
        )
        gamma, interval = self.config.r1_gamma(at.resolution), self.config.r1_interval
        penalized = gamma > 0 and at.step % interval == 0
        reals = reals.detach().requires_grad_(penalized)
        real, logits = D(reals)
        parts = {"real": F.softplus(-real).mean(), **self.label_terms(logits, labels, "labels_real")}
        if penalized:
            (gradient,) = torch.autograd.grad(real.sum(), reals, create_graph=True)
            parts["r1"] = 0.5 * gamma * interval * gradient.square().sum(dim=(1, 2, 3)).mean()
        yield Terms(parts, score_mean("real", real) | sign_mean(real))

    def g_terms(self, D: Critic, fakes: Tensor, labels: Tensor | None, draws: Draws) -> Terms:
        """See `Loss.g_terms`."""
        scores, logits = D(fakes)
        return Terms({"fake": F.softplus(-scores).mean(), **self.label_terms(logits, labels)})
