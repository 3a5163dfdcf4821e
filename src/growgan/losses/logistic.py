"""Non-saturating logistic loss (Goodfellow et al. 2014) with the R1 penalty (Mescheder et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional as F

from growgan.losses.base import At, Critic, Draws, Terms, score_mean, sign_mean
from growgan.losses.zero_centred import ZeroCentred


class Logistic(ZeroCentred):
    """D: E[softplus(D(fake))] + E[softplus(-D(real))] + R1 (+ R2, if asked); G: E[softplus(-D(fake))]."""

    def d_terms(
        self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: Draws, at: At
    ) -> Iterator[Terms]:
        """See `Loss.d_terms`: the fakes, then the reals, with their penalties."""
        fakes = self.watched(fakes, ("r2",), at)
        fake, logits = D(fakes)
        parts = {"fake": F.softplus(fake).mean(), **self.label_terms(logits, labels, "labels_fake")}
        yield Terms(parts | self.penalties(fake, fakes, ("r2",), at), score_mean("fake", fake))
        reals = self.watched(reals, ("r1",), at)
        real, logits = D(reals)
        parts = {"real": F.softplus(-real).mean(), **self.label_terms(logits, labels, "labels_real")}
        seen = score_mean("real", real) | sign_mean(real)
        yield Terms(parts | self.penalties(real, reals, ("r1",), at), seen)

    def g_terms(self, D: Critic, reals: Tensor, fakes: Tensor, labels: Tensor | None, draws: Draws) -> Terms:
        """See `Loss.g_terms`."""
        scores, logits = D(fakes)
        return Terms({"fake": F.softplus(-scores).mean(), **self.label_terms(logits, labels)})
