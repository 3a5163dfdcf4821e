"""LSGAN: its terms, and the adaptive noise of the paper's appendix B."""

from __future__ import annotations

import math

import pytest
import torch
from making import FixedDraws, joined, make_nets, make_spec, normal
from torch import Tensor

from growgan.core.config import LossConfig
from growgan.losses import create
from growgan.losses.base import Loss, StepInfo

N = 5


def make_loss(d: float = 0.0, **fields: float) -> Loss:
    loss = create(LossConfig(name="lsgan", **fields), False)
    loss.state["d"] = torch.tensor(d)
    return loss


def linear_critic(x: Tensor, parts: int = 1, on_input: object = None) -> tuple[Tensor, Tensor]:
    return x.sum(dim=(1, 2, 3))[:, None], x.new_empty(len(x), 0)


def test_terms_on_a_linear_critic() -> None:
    reals, fakes = normal(N, 1, 4, 4, seed=1), normal(N, 1, 4, 4, seed=2)
    real, fake = reals.sum(dim=(1, 2, 3)), fakes.sum(dim=(1, 2, 3))
    terms = joined(make_loss().d_terms(linear_critic, reals, fakes, None, FixedDraws(N), StepInfo(4)))
    assert {name: part.item() for name, part in terms.parts.items()} == pytest.approx(
        {"real": (real**2).mean().item(), "fake": 0.1 * ((fake - 1) ** 2).mean().item()}
    )
    assert terms.stats["score_fake"].item() == pytest.approx(fake.mean().item())
    terms = make_loss().g_terms(linear_critic, reals, fakes, None, FixedDraws(N))
    assert terms.total.item() == pytest.approx((fake**2).mean().item())


def test_moving_average_and_strength() -> None:
    loss, d = make_loss(lsgan_noise=0.3), 0.0
    for score in [0.4, 3.0, 0.9, 1.0, -2.0, *[1.0] * 12, 0.7]:
        loss.after_d_step({"score_fake": torch.tensor(score), "score_real": torch.tensor(-5.0)})
        d = 0.9 * d + 0.1 * min(max(score, 0), 1)
        assert loss.state["d"].item() == pytest.approx(d, rel=1e-5)
        assert loss.strength.item() == pytest.approx(0.3 * max(0, d - 0.5) ** 2, rel=1e-4, abs=1e-9)
    assert d > 0.7


def noises_of(loss: Loss, draws: FixedDraws, x: Tensor, layer: str = "8x8.conv0") -> dict[str, Tensor]:
    """What becomes of `x` before a layer of D in its passes on reals and on fakes, and in G's step."""
    seen: list[Tensor] = []

    def critic(images: Tensor, parts: int = 1, on_input=None) -> tuple[Tensor, Tensor]:
        seen.append(on_input(layer, x) if on_input else x)
        return linear_critic(images)

    images = normal(len(x), 1, 4, 4)
    joined(loss.d_terms(critic, images, images, None, draws, StepInfo(4)))
    loss.g_terms(critic, images, images, None, draws)
    return dict(zip(("real", "fake", "g"), seen, strict=True))


@pytest.mark.parametrize("shape", [(N, 7, 4, 4), (N, 7)])
def test_noise_is_one_factor_for_each_sample_and_channel(shape: tuple[int, ...]) -> None:
    x = normal(*shape).abs() + 1
    draws = FixedDraws(N)
    noises = noises_of(make_loss(d=0.9), draws, x)
    assert len(draws.asked) == 3 and draws.asked[0] != draws.asked[1], "reals and fakes share their noise"
    strength = 0.2 * 0.4**2 * math.sqrt(7)
    for name, y in zip(draws.asked, noises.values()):
        factor = 1 + strength * draws.normal(name, 7, *[1] * (x.dim() - 2))
        torch.testing.assert_close(y, x * factor, rtol=1e-6, atol=0)


def test_layers_have_noise_of_their_own() -> None:
    draws = FixedDraws(N)
    for layer in ("8x8.conv0", "8x8.conv1"):
        noises_of(make_loss(d=0.9), draws, normal(N, 7, 4, 4), layer)
    assert draws.asked[0] != draws.asked[3]


@pytest.mark.parametrize(("d", "fields"), [(0.5, {}), (0.2, {}), (1.0, {"lsgan_noise": 0.0})])
def test_no_noise_while_d_is_unsure(d: float, fields: dict[str, float]) -> None:
    x = normal(N, 7, 4, 4)
    assert all(torch.equal(y, x) for y in noises_of(make_loss(d, **fields), FixedDraws(N), x).values())


def test_noise_reaches_the_scores_of_the_real_d() -> None:
    _, D = make_nets(make_spec(8))
    x = normal(N, 3, 8, 8)
    quiet, loud = (
        joined(make_loss(d).d_terms(D, x, x, None, FixedDraws(N), StepInfo(4))).total.item() for d in (0.0, 1.0)
    )
    assert abs(quiet - loud) > 1e-4
