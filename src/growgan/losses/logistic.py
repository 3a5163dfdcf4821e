"""Non-saturating logistic loss (Goodfellow et al. 2014) with the R1 penalty (Mescheder et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.losses.base import Critic, RandomSource, StepInfo, Terms, score_mean, sign_mean
from growgan.losses.zero_centred import ZeroCentred


class Logistic(ZeroCentred):
    """D: E[softplus(D(fake))] + E[softplus(-D(real))] + R1 (+ R2, if enabled); G: E[softplus(-D(fake))]."""

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource, info: StepInfo
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: the fakes, then the reals, with their penalties; all at once if none is due."""
        fakes, reals = self.watched(fakes, ("r2",), info), self.watched(reals, ("r1",), info)
        if fakes.requires_grad or reals.requires_grad:
            yield self._fake_terms(*D(fakes), fakes, labels, info)
            yield self._real_terms(*D(reals), reals, labels, info)
            return
        scores, logits = D(torch.cat([fakes, reals]), parts=2)
        of_fakes, of_reals = zip(scores.chunk(2), logits.chunk(2), strict=True)
        fake, real = self._fake_terms(*of_fakes, fakes, labels, info), self._real_terms(*of_reals, reals, labels, info)
        yield Terms(fake.parts | real.parts, fake.stats | real.stats)

    def _fake_terms(
        self, scores: Tensor, logits: Tensor, fakes: Tensor, labels: Tensor | None, info: StepInfo
    ) -> Terms:
        parts = {"fake": F.softplus(scores).mean(), **self.label_terms(logits, labels, "labels_fake")}
        return Terms(parts | self.penalties(scores, fakes, ("r2",), info), score_mean("fake", scores))

    def _real_terms(
        self, scores: Tensor, logits: Tensor, reals: Tensor, labels: Tensor | None, info: StepInfo
    ) -> Terms:
        parts = {"real": F.softplus(-scores).mean(), **self.label_terms(logits, labels, "labels_real")}
        stats = score_mean("real", scores) | sign_mean(scores)
        return Terms(parts | self.penalties(scores, reals, ("r1",), info), stats)

    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: RandomSource) -> Terms:
        """See `Loss.g_terms`."""
        scores, logits = D(fakes)
        return Terms({"fake": F.softplus(-scores).mean(), **self.label_terms(logits, labels)})
