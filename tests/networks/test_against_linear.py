"""G, D and D's whole loss, at the native size of every stage, agree with the paper's drawing at full size."""

from __future__ import annotations

import pytest
import torch
from making import LABELS, FixedDraws, joined, label_fields, make_labels, make_nets, make_spec, normal
from oracles import linear

from growgan.core.config import LossConfig, NetworkSpec
from growgan.losses import create
from growgan.losses.base import StepInfo

N = 6
RESOLUTIONS = (4, 8, 16, 32, 64)
ALPHAS = (0.0, 0.3, 0.5, 1.0)
DOWN = ("act_pool", "pool_act")


def assert_same(ours: torch.Tensor, expected: torch.Tensor, where: str = "") -> None:
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9, msg=lambda m: f"{where}: {m}")


def make_64(labels: str = "none", d_down: str = "act_pool") -> NetworkSpec:
    return make_spec(64, fmap_base=128, fmap_max=16, d_down=d_down, **label_fields(labels))


def lod_of(resolution: int, alpha: float) -> float:
    """Doublings missing to 64."""
    return {4: 4, 8: 3, 16: 2, 32: 1, 64: 0}[resolution] + (0 if resolution == 4 else 1 - alpha)


def pairs_of(resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (N, 3, resolution, resolution)
    return normal(*shape, seed=1), 0.5 * normal(*shape, seed=2)


@pytest.mark.parametrize("labels", LABELS)
def test_g_agrees(labels: str) -> None:
    spec = make_64(labels)
    G, _ = make_nets(spec)
    z, y = normal(N, spec.z_size), make_labels(labels, N)
    with torch.no_grad():
        for resolution in RESOLUTIONS:
            for alpha in ALPHAS:
                plain = linear.generate(G.state_dict(), spec, z, y, lod_of(resolution, alpha))
                ours = linear.enlarged(G(z, y, resolution, alpha), 64 // resolution)
                assert_same(ours, plain, f"{resolution}, {alpha}")


@pytest.mark.parametrize("d_down", DOWN)
@pytest.mark.parametrize("num_labels", [0, 3])
def test_d_agrees(d_down: str, num_labels: int) -> None:
    spec = make_64("int" if num_labels else "none", d_down)
    _, D = make_nets(spec)
    with torch.no_grad():
        for resolution in RESOLUTIONS:
            x, _ = pairs_of(resolution)
            for alpha in ALPHAS:
                full = linear.enlarged(x, 64 // resolution)
                scores, logits = linear.judge(D.state_dict(), spec, full, lod_of(resolution, alpha))
                ours, our_logits = D(x, alpha=alpha)
                assert our_logits.shape == (N, num_labels)
                assert_same(ours[:, 0], scores, f"{resolution}, {alpha}")
                assert_same(our_logits, logits)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize(("labels", "d_down"), [(labels, DOWN[i % 2]) for i, labels in enumerate(LABELS)])
def test_d_loss_and_its_gradients_agree(labels: str, d_down: str, resolution: int, alpha: float) -> None:
    spec = make_64(labels, d_down)
    _, D = make_nets(spec)
    config = LossConfig(gp_weight=7, gp_target=1.5, drift=0.02, label_weight=0.6)
    reals, fakes = pairs_of(resolution)
    y, draws, shrink = make_labels(labels, N), FixedDraws(N), 64 // resolution

    def critic(x, parts=1, on_input=None):
        return D(x, alpha=alpha, parts=parts, on_input=on_input)

    loss = create(config, spec.multi_label)
    ours = joined(loss.d_terms(critic, reals, fakes, y, draws, StepInfo(resolution, shrink))).total
    ours.backward()

    weights = {name: p.detach().clone().requires_grad_() for name, p in D.named_parameters()}
    (mix,) = set(draws.asked)
    u = draws.uniform(mix, 1, 1, 1).flatten()
    full = [linear.enlarged(x, shrink) for x in (reals, fakes)]
    plain = linear.d_loss(weights, spec, config, *full, y, u, lod_of(resolution, alpha))
    plain.backward()

    assert_same(ours, plain)
    for name, parameter in D.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert_same(gradient, weights[name].grad, name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_alpha_0_of_g_is_the_lower_size_upscaled_bit_for_bit(dtype: torch.dtype) -> None:
    G, _ = make_nets(make_64(), dtype)
    z = normal(N, G.spec.z_size).to(dtype)
    with torch.no_grad():
        for resolution in RESOLUTIONS[1:]:
            lower = G(z, None, resolution // 2, 1.0)
            assert torch.equal(G(z, None, resolution, 0.0), linear.enlarged(lower, 2))
            assert not torch.equal(G(z, None, resolution, 1.0), linear.enlarged(lower, 2))


@pytest.mark.parametrize("d_down", DOWN)
def test_alpha_0_of_d_is_the_lower_size(d_down: str) -> None:
    _, D = make_nets(make_64("int", d_down))
    with torch.no_grad():
        for resolution in RESOLUTIONS[1:]:
            lower, _ = pairs_of(resolution // 2)
            for ours, expected in zip(D(linear.enlarged(lower, 2), alpha=0.0), D(lower, alpha=1.0)):
                assert_same(ours, expected)


@pytest.mark.parametrize("d_down", DOWN)
def test_continuous_where_a_fade_begins_and_ends(d_down: str) -> None:
    G, D = make_nets(make_64(d_down=d_down))
    z, tiny = normal(N, G.spec.z_size), 1e-10
    with torch.no_grad():
        for resolution in RESOLUTIONS[1:]:
            x, _ = pairs_of(resolution)
            lower = linear.pooled(x, 2)
            near = {"rtol": 0, "atol": 1e-7}
            torch.testing.assert_close(
                G(z, None, resolution, tiny), linear.enlarged(G(z, None, resolution // 2), 2), **near
            )
            torch.testing.assert_close(G(z, None, resolution, 1 - tiny), G(z, None, resolution, 1.0), **near)
            torch.testing.assert_close(D(x, alpha=tiny)[0], D(lower, alpha=1.0)[0], **near)
            torch.testing.assert_close(D(x, alpha=1 - tiny)[0], D(x, alpha=1.0)[0], **near)
