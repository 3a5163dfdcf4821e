"""Relativistic pairing with R1 and R2, in closed form and pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from making import FixedDraws, check_by_differences, joined, make_nets, make_spec, normal
from torch import Tensor

from growgan.core.config import LossConfig
from growgan.core.fields import per
from growgan.losses import create
from growgan.losses.base import StepInfo

N = 5
WEIGHT = normal(3, 4, 4, seed=3) / 4


def critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
    """w x + |x|^2 / 2, whose gradient is w + x."""
    return ((x * WEIGHT) + x.square() / 2).sum(dim=(1, 2, 3))[:, None], x.new_empty(len(x), 0)


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def batch() -> tuple[Tensor, Tensor]:
    return normal(N, 3, 4, 4, seed=1), 0.8 * normal(N, 3, 4, 4, seed=2)


@pytest.mark.parametrize("r2", [None, 0.0, 7.0])
def test_closed_form(r2: float | None) -> None:
    reals, fakes = batch()
    loss = create(LossConfig(name="relativistic", r1_gamma=per(3), r2_gamma=None if r2 is None else per(r2)), False)
    terms = joined(loss.d_terms(critic, reals, fakes, None, FixedDraws(N), StepInfo(4, enlargement=8)))
    real, fake = (critic(x)[0].flatten().tolist() for x in (reals, fakes))
    expected = {
        "relative": np.mean([softplus(-(r - f)) for r, f in zip(real, fake)]),
        "r1": 3 / 2 * np.mean([((WEIGHT + x) ** 2).sum().item() for x in reals]),
        "r2": (3 if r2 is None else r2) / 2 * np.mean([((WEIGHT + x) ** 2).sum().item() for x in fakes]),
    }
    if r2 == 0:
        del expected["r2"]
    assert {name: part.item() for name, part in terms.parts.items()} == pytest.approx(expected)
    assert terms.stats["sign"].item() == pytest.approx(np.mean([np.sign(r - f) for r, f in zip(real, fake)]))
    g = loss.g_terms(critic, reals, fakes, None, FixedDraws(N)).total.item()
    assert g == pytest.approx(np.mean([softplus(-(f - r)) for r, f in zip(real, fake)]))


def test_gamma_falls_to_its_end_and_may_be_lazy() -> None:
    reals, fakes = batch()
    fields = {"name": "relativistic", "r1_gamma": per(9, {4: 2}), "gamma_end": 0.1}

    def penalties(at: StepInfo, **more: object) -> dict[str, float]:
        loss = create(LossConfig(**fields, **more), False)
        parts = joined(loss.d_terms(critic, reals, fakes, None, FixedDraws(N), at)).parts
        return {name: parts[name].item() for name in ("r1", "r2")}

    start = penalties(StepInfo(4))
    assert penalties(StepInfo(4, progress=1.0)) == pytest.approx({name: 0.1 * value for name, value in start.items()})
    assert penalties(StepInfo(4, progress=0.5)) == pytest.approx({name: 0.55 * value for name, value in start.items()})
    assert penalties(StepInfo(8)) == pytest.approx({name: 4.5 * value for name, value in start.items()})
    lazy, none = (penalties(StepInfo(4, penalised=penalised), r1_interval=4) for penalised in (True, False))
    assert none == {"r1": 0, "r2": 0}
    assert lazy == pytest.approx({name: 4 * value for name, value in start.items()})


def test_a_constant_added_to_d_changes_nothing() -> None:
    reals, fakes = batch()

    def shifted(x: Tensor, **options: object) -> tuple[Tensor, Tensor]:
        scores, logits = critic(x)
        return scores + 1000, logits

    totals = []
    for D in (critic, shifted):
        loss = create(LossConfig(name="relativistic"), False)
        terms = joined(loss.d_terms(D, reals, fakes, None, FixedDraws(N), StepInfo(4)))
        totals.append((terms.total.item(), loss.g_terms(D, reals, fakes, None, FixedDraws(N)).total.item()))
    assert totals[0] == pytest.approx(totals[1])


def test_g_learns_through_its_fakes_alone() -> None:
    _, D = make_nets(make_spec(8))
    D.requires_grad_(False)
    reals, fakes = normal(N, 3, 8, 8), normal(N, 3, 8, 8, seed=1).requires_grad_()
    create(LossConfig(name="relativistic"), False).g_terms(D, reals, fakes, None, FixedDraws(N)).total.backward()
    assert fakes.grad is not None and fakes.grad.any()
    assert reals.grad is None


def test_the_penalties_gradient_against_finite_differences() -> None:
    _, D = make_nets(make_spec(8))
    reals, fakes = normal(4, 3, 8, 8), normal(4, 3, 8, 8, seed=1)

    def penalties() -> Tensor:
        loss = create(LossConfig(name="relativistic"), False)
        parts = joined(loss.d_terms(D, reals, fakes, None, FixedDraws(4), StepInfo(8))).parts
        return parts["r1"] + parts["r2"]

    check_by_differences(penalties, D)
