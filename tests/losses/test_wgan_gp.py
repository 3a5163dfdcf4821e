"""WGAN-GP: the penalty in closed form and against finite differences, the drift term."""

from __future__ import annotations

import math

import pytest
import torch
from making import FixedDraws, joined, make_nets, make_spec, normal
from torch import Tensor

from growgan.core.config import LossConfig
from growgan.losses import create
from growgan.losses.base import StepInfo

N = 5


def parts_of(D, reals: Tensor, fakes: Tensor, shrink: float = 1, **fields: float) -> dict[str, Tensor]:
    return joined(
        create(LossConfig(**fields), False).d_terms(D, reals, fakes, None, FixedDraws(len(reals)), StepInfo(4, shrink))
    ).parts


def make_batch(resolution: int = 4) -> tuple[Tensor, Tensor]:
    return normal(N, 3, resolution, resolution, seed=1), normal(N, 3, resolution, resolution, seed=2) - 1


def linear_critic(weight: Tensor, scale: float = 1.0):
    def critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
        return scale * (x * weight).sum(dim=(1, 2, 3))[:, None], x.new_empty(len(x), 0)

    return critic


@pytest.mark.parametrize("shrink", [1, 4, 32])
@pytest.mark.parametrize("target", [1.0, 750.0])
def test_closed_form_on_a_linear_critic(target: float, shrink: float) -> None:
    reals, fakes = make_batch()
    weight = normal(3, 4, 4, seed=3)
    parts = parts_of(linear_critic(weight), reals, fakes, shrink, gp_target=target, gp_weight=7, drift=0.1)
    real, fake = ((x * weight).sum(dim=(1, 2, 3)) for x in (reals, fakes))
    norm = math.sqrt((weight**2).sum()) / shrink
    assert set(parts) == {"wasserstein", "penalty", "drift"}
    assert parts["penalty"].item() == pytest.approx(7 / target**2 * (norm - target) ** 2, rel=1e-9)
    assert parts["wasserstein"].item() == pytest.approx((fake.mean() - real.mean()).item(), rel=1e-9)
    assert parts["drift"].item() == pytest.approx(0.1 * (real**2).mean().item(), rel=1e-9)


def test_g_s_term() -> None:
    reals, fakes = make_batch()
    weight = normal(3, 4, 4, seed=3)
    terms = create(LossConfig(), False).g_terms(linear_critic(weight), reals, fakes, None, FixedDraws(N))
    assert terms.total.item() == pytest.approx(-(fakes * weight).sum().item() / N, rel=1e-9)


def test_penalty_is_taken_between_each_real_and_its_fake() -> None:
    """The gradient of |x|^2 / 2 is x itself."""

    def critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
        return x.square().sum(dim=(1, 2, 3))[:, None] / 2, x.new_empty(len(x), 0)

    reals, fakes = make_batch()
    draws = FixedDraws(N)
    penalty = joined(
        create(LossConfig(gp_weight=3), False).d_terms(critic, reals, fakes, None, draws, StepInfo(4))
    ).parts["penalty"]
    (name,) = draws.asked
    u = draws.uniform(name, 1, 1, 1)
    assert len(u.unique()) == N
    points = (1 - u) * reals + u * fakes
    expected = 3 * (points.flatten(1).norm(dim=1) - 1).square().mean()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("target", [0.5, 750.0])
def test_a_target_is_only_the_scale_of_d(target: float) -> None:
    """lambda / gamma^2 (|grad gamma D| - gamma)^2 = lambda (|grad D| - 1)^2."""
    reals, fakes = make_batch(8)
    _, D = make_nets(make_spec(8))

    def scaled(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
        scores, logits = D(x, parts=parts)
        return target * scores, logits

    plain = parts_of(D, reals, fakes)["penalty"]
    torch.testing.assert_close(parts_of(scaled, reals, fakes, gp_target=target)["penalty"], plain)
    torch.testing.assert_close(parts_of(scaled, reals, fakes, shrink=target)["penalty"], plain)


@pytest.mark.parametrize(("resolution", "alpha"), [(4, 1.0), (8, 0.3), (16, 1.0)])
def test_the_penalty_s_gradient_against_finite_differences(resolution: int, alpha: float) -> None:
    _, D = make_nets(make_spec(16))
    reals, fakes = make_batch(resolution)

    def penalty() -> Tensor:
        def critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
            return D(x, alpha=alpha, parts=parts)

        return parts_of(critic, reals, fakes, shrink=16 / resolution)["penalty"]

    penalty().backward()
    step, checked = 1e-6, 0
    for seed, (name, parameter) in enumerate(D.named_parameters()):
        if parameter.grad is None:
            continue
        # One random direction in each parameter: every entry takes part.
        direction = normal(*parameter.shape, seed=seed)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
            values.append(penalty().item())
            with torch.no_grad():
                parameter.sub_(sign * step * direction)
        expected = (parameter.grad * direction).sum().item()
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=1e-5, abs=1e-7), name
        checked += abs(expected) > 1e-3
    assert checked >= 4
