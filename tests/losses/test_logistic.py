"""The logistic loss with R1, in closed form on a linear critic."""

from __future__ import annotations

import numpy as np
import pytest
from making import FixedDraws, check_by_differences, joined, make_nets, make_spec, normal
from torch import Tensor

from growgan.core.config import LossConfig
from growgan.core.fields import per
from growgan.losses import create
from growgan.losses.base import StepInfo, Terms

N = 5
WEIGHT = normal(3, 4, 4, seed=3) / 4


def critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
    return (x * WEIGHT).sum(dim=(1, 2, 3))[:, None], x.new_empty(len(x), 0)


@pytest.mark.parametrize("shrink", [1, 8])
@pytest.mark.parametrize("gamma", [0.0, 10.0])
def test_closed_form(gamma: float, shrink: float) -> None:
    reals, fakes = normal(N, 3, 4, 4, seed=1), normal(N, 3, 4, 4, seed=2)
    real, fake = ((x * WEIGHT).sum(dim=(1, 2, 3)).numpy() for x in (reals, fakes))
    loss = create(LossConfig(name="logistic", r1_gamma=per(gamma)), False)
    parts = joined(loss.d_terms(critic, reals, fakes, None, FixedDraws(N), StepInfo(4, shrink))).parts
    expected = {"fake": np.log1p(np.exp(fake)).mean(), "real": np.log1p(np.exp(-real)).mean()}
    if gamma:
        # R1 is of the stage's own images: `shrink` has no part in it.
        expected["r1"] = gamma / 2 * (WEIGHT**2).sum().item()
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected)
    g = loss.g_terms(critic, reals, fakes, None, FixedDraws(N)).total.item()
    assert g == pytest.approx(np.log1p(np.exp(-fake)).mean())


def test_lazy_r1_is_rare_and_heavy() -> None:
    """Over a whole interval it adds up to what a penalty at each update does; gamma is that of the resolution.

    That one update of each interval has it is held by training/test_step.
    """
    x = normal(N, 3, 4, 4, seed=1)
    config = LossConfig(name="logistic", r1_gamma=per(10, {8: 0.5}), r1_interval=4)

    def r1(resolution: int, penalised: bool) -> float:
        at = StepInfo(resolution, penalised=penalised)
        return joined(create(config, False).d_terms(critic, x, x, None, FixedDraws(N), at)).parts["r1"].item()

    plain = 0.5 * (WEIGHT**2).sum().item()
    assert [r1(8, True), r1(8, False)] == pytest.approx([4 * 0.5 * plain, 0])
    assert (r1(16, True) + 3 * r1(16, False)) / 4 == pytest.approx(10 * plain)


def test_without_a_penalty_reals_and_fakes_are_judged_at_once_and_alike() -> None:
    _, D = make_nets(make_spec(8, stddev_group=4))
    reals, fakes = normal(4, 3, 8, 8, seed=1), normal(4, 3, 8, 8, seed=2)
    loss = create(LossConfig(name="logistic", r1_gamma=per(10), r1_interval=2), False)

    def terms(penalised: bool) -> list[Terms]:
        return list(loss.d_terms(D, reals, fakes, None, FixedDraws(4), StepInfo(8, penalised=penalised)))

    apart, (together,) = terms(True), terms(False)
    assert len(apart) == 2 and together.parts["r1"] == 0
    for name in ("fake", "real"):
        assert together.parts[name].item() == pytest.approx(joined(apart).parts[name].item(), rel=1e-9)
    assert together.stats.keys() == apart[0].stats.keys() | apart[1].stats.keys()


def test_r1_is_of_the_reals() -> None:
    """The gradient of |x|^2 / 2 is x itself."""

    def square(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
        return x.square().sum(dim=(1, 2, 3))[:, None] / 2, x.new_empty(len(x), 0)

    reals, fakes = normal(N, 3, 4, 4, seed=1), 9 * normal(N, 3, 4, 4, seed=2)
    loss = create(LossConfig(name="logistic", r1_gamma=per(3)), False)
    terms = joined(loss.d_terms(square, reals, fakes, None, FixedDraws(N), StepInfo(4)))
    assert terms.parts["r1"].item() == pytest.approx(1.5 * (reals**2).sum().item() / N)


def test_r1_s_gradient_against_finite_differences() -> None:
    _, D = make_nets(make_spec(8))
    reals = normal(N, 3, 8, 8)

    def r1() -> Tensor:
        return joined(
            create(LossConfig(name="logistic"), False).d_terms(D, reals, reals, None, FixedDraws(N), StepInfo(4))
        ).parts["r1"]

    check_by_differences(r1, D)


def test_r2_is_of_the_fakes_and_off_unless_it_is_asked() -> None:
    reals, fakes = normal(N, 3, 4, 4, seed=1), 9 * normal(N, 3, 4, 4, seed=2)

    def square(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
        return x.square().sum(dim=(1, 2, 3))[:, None] / 2, x.new_empty(len(x), 0)

    for gamma, expected in ((None, {}), (per(3), {"r2": 1.5 * (fakes**2).sum().item() / N})):
        loss = create(LossConfig(name="logistic", r1_gamma=per(0), r2_gamma=gamma), False)
        parts = joined(loss.d_terms(square, reals, fakes, None, FixedDraws(N), StepInfo(4))).parts
        assert {name: parts[name].item() for name in ("r1", "r2") if name in parts} == pytest.approx(expected)
