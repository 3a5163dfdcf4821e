"""Relativistic pairing (Jolicoeur-Martineau 2019) with R1 and R2, as in R3GAN (Huang et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.losses.base import Critic, RandomSource, StepInfo, Terms, score_mean, sign_mean
from growgan.losses.zero_centred import ZeroCentred


class Relativistic(ZeroCentred):
    """Each real is compared with the fake it is paired with, so that no mode of the data can be dropped at no cost.

    D: E[softplus(D(fake) - D(real))] + R1 + R2; G: E[softplus(D(real) - D(fake))]. Adding a constant to D changes
    nothing, so the sign that adaptive augmentation follows is that of D(real) - D(fake).
    """

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource, info: StepInfo
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: all at once, as pairs require."""
        images = self.watched(torch.cat([reals, fakes]), ("r1", "r2"), info)
        scores, logits = D(images, parts=2)
        real, fake = scores.chunk(2)
        real_logits, fake_logits = logits.chunk(2)
        parts = {
            "relative": F.softplus(fake - real).mean(),
            **self.label_terms(real_logits, labels, "labels_real"),
            **self.label_terms(fake_logits, labels, "labels_fake"),
        }
        stats = score_mean("real", real) | score_mean("fake", fake) | sign_mean(real - fake)
        yield Terms(parts | self.penalties(scores, images, ("r1", "r2"), info), stats)

    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource) -> Terms:
        """See `Loss.g_terms`."""
        fake, logits = D(fakes)
        real, _ = D(reals)
        return Terms({"relative": F.softplus(real - fake).mean(), **self.label_terms(logits, labels)})
