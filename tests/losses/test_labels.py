"""The AC-GAN terms against NumPy: one class, mixtures, attributes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from making import FixedDraws, joined, make_labels, make_nets, make_spec, normal

from growgan.core.config import LossConfig
from growgan.losses import LOSSES, create
from growgan.losses.base import StepInfo

N, K = 6, 3
KINDS = ("int", "one-hot", "mixture", "attributes")


def expected_of(logits: np.ndarray, kind: str) -> float:
    labels = make_labels(kind, N, K).numpy()
    if kind == "int":
        labels = np.eye(K)[labels]
    if kind == "attributes":
        p = 1 / (1 + np.exp(-logits))
        likelihood = labels * np.log(p) + (1 - labels) * np.log1p(-p)
    else:
        likelihood = labels * np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return float(-likelihood.sum(axis=1).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_against_numpy(name: str, kind: str) -> None:
    _, D = make_nets(make_spec(8, num_labels=K, stddev_group=0))
    loss = create(LossConfig(name=name, label_weight=0.7), kind == "attributes")
    reals, fakes, labels = normal(N, 3, 8, 8), normal(N, 3, 8, 8, seed=1), make_labels(kind, N, K)
    real_logits, fake_logits = (D(x)[1].detach().numpy() for x in (reals, fakes))
    parts = joined(loss.d_terms(D, reals, fakes, labels, FixedDraws(N), StepInfo(4))).parts
    assert parts["labels_real"].item() == pytest.approx(0.7 * expected_of(real_logits, kind))
    assert parts["labels_fake"].item() == pytest.approx(0.7 * expected_of(fake_logits, kind))
    parts = loss.g_terms(D, reals, fakes, labels, FixedDraws(N)).parts
    assert parts["labels"].item() == pytest.approx(0.7 * expected_of(fake_logits, kind))


@pytest.mark.parametrize("name", LOSSES)
def test_no_labels_no_terms(name: str) -> None:
    x = normal(N, 3, 8, 8)
    for k, labels in ((0, None), (K, None)):
        _, D = make_nets(make_spec(8, num_labels=k))
        loss = create(LossConfig(name=name), False)
        both = (
            joined(loss.d_terms(D, x, x, labels, FixedDraws(N), StepInfo(4))),
            loss.g_terms(D, x, x, labels, FixedDraws(N)),
        )
        assert not [part for terms in both for part in terms.parts if "label" in part]


def test_far_logits_stay_finite() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    for multi, labels in ((False, torch.tensor([1])), (True, torch.tensor([[0.0, 1.0, 0.0]]))):
        (term,) = create(LossConfig(), multi).label_terms(logits, labels).values()
        assert 1e4 <= term.item() < 1e5
