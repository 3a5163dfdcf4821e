"""What D promises beyond its arithmetic: switches, defaults, parts, the hook on inputs, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from making import make_nets, make_spec, normal

from growgan.networks.discriminator import Discriminator


def scores(D: Discriminator, x: torch.Tensor, **options: object) -> torch.Tensor:
    with torch.no_grad():
        return D(x, **options)[0]


def test_score_and_logits_are_columns_of_one_layer() -> None:
    _, D = make_nets(make_spec(8, num_labels=3))
    x = normal(2, 3, 8, 8)
    score, logits = D(x)
    assert (score.shape, logits.shape) == ((2, 1), (2, 3))
    with torch.no_grad():
        D.stage(4).dense1.bias += torch.tensor([1.0, 0, 0, 10.0])
    moved, moved_logits = D(x)
    torch.testing.assert_close(moved, score + 1)
    torch.testing.assert_close(moved_logits, logits + torch.tensor([0, 0, 10.0], dtype=logits.dtype))


def test_the_paper_s_d_does_not_look_at_labels() -> None:
    _, D = make_nets(make_spec(8, num_labels=3))
    x = normal(2, 3, 8, 8)
    assert torch.equal(scores(D, x), scores(D, x, labels=torch.tensor([0, 2])))


def test_g_s_switches_do_not_change_d() -> None:
    x = normal(2, 3, 8, 8)
    expected = scores(make_nets(make_spec(8))[1], x)
    for switch in ("pixelnorm", "leaky_relu", "normalize_latents"):
        assert torch.equal(scores(make_nets(make_spec(8, **{switch: False}))[1], x), expected)


def test_the_two_kinds_of_halving_are_two_functions_above_4x4() -> None:
    nets = [make_nets(make_spec(8, d_down=kind))[1] for kind in ("act_pool", "pool_act")]
    for size, same in ((8, False), (4, True)):
        x = normal(2, 3, size, size)
        assert torch.allclose(scores(nets[0], x), scores(nets[1], x), atol=1e-3) == same


@pytest.mark.parametrize("n", [1, 3, 4, 6])
def test_parts_of_a_batch_are_judged_as_if_alone(n: int) -> None:
    _, D = make_nets(make_spec(8))
    reals, fakes = normal(n, 3, 8, 8, seed=1), 3 * normal(n, 3, 8, 8, seed=2)
    joined = scores(D, torch.cat([reals, fakes]), parts=2)
    torch.testing.assert_close(joined, torch.cat([scores(D, reals), scores(D, fakes)]), rtol=0, atol=1e-12)


def test_defaults_are_what_the_weights_have_reached() -> None:
    _, D = make_nets(make_spec(16))
    x = {size: normal(2, 3, size, size) for size in (4, 8, 16)}
    assert torch.equal(scores(D, x[16]), scores(D, x[16], alpha=1.0))
    D.resolution, D.alpha = 8, 0.3
    assert torch.equal(scores(D, x[8]), scores(D, x[8], alpha=0.3))
    assert not torch.equal(scores(D, x[8]), scores(D, x[8], alpha=1.0))
    for other in (4, 16):
        assert torch.equal(scores(D, x[other]), scores(D, x[other], alpha=1.0))
    assert torch.equal(scores(D, x[4], alpha=0.2), scores(D, x[4], alpha=1.0)), "the first stage has nothing to fade"


def test_the_hook_meets_the_input_of_every_3x3_and_4x4_convolution() -> None:
    _, D = make_nets(make_spec(16))
    met: dict[str, tuple[int, ...]] = {}

    def look(name: str, x: torch.Tensor) -> torch.Tensor:
        assert name not in met
        met[name] = tuple(x.shape[1:])
        return x

    x = normal(4, 3, 16, 16)
    assert torch.equal(scores(D, x, on_input=look), scores(D, x))
    w = D.spec.width
    assert met == {
        "16x16.conv0": (w(16), 16, 16),
        "16x16.conv1": (w(16), 16, 16),
        "8x8.conv0": (w(8), 8, 8),
        "8x8.conv1": (w(8), 8, 8),
        "4x4.conv": (w(4) + 1, 4, 4),
        "4x4.dense0": (w(4), 4, 4),
    }
    for name in met:
        other = scores(D, x, on_input=lambda layer, x, name=name: 2 * x if layer == name else x)
        assert not torch.allclose(other, scores(D, x)), f"the hook at {name} has no effect"


@pytest.mark.parametrize(
    "shape", [(2, 1, 8, 8), (2, 4, 8, 8), (2, 3, 8, 4), (2, 3, 6, 6), (2, 3, 2, 2), (2, 3, 32, 32), (3, 8, 8)]
)
def test_refuses_images_that_do_not_fit(shape: tuple[int, ...]) -> None:
    _, D = make_nets(make_spec(16))
    with pytest.raises(ValueError, match="images"):
        D(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan"), float("inf")])
def test_refuses_alpha_outside_0_to_1(alpha: float) -> None:
    _, D = make_nets(make_spec(16))
    with pytest.raises(ValueError, match="alpha"):
        D(normal(2, 3, 8, 8), alpha=alpha)
