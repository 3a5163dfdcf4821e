"""Differentiable augmentation against its plain form, and what has to pass through it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from making import normal
from oracles.diffaugment_plain import augmented

from growgan.augment.changes import CHANGES, NUMBERS, augment

POLICIES = [("colour",), ("translation",), ("cutout",), ("colour", "translation", "cutout")]


def uniform(n: int, seed: int = 1) -> torch.Tensor:
    return torch.rand((n, NUMBERS), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("p", [0.5, 1.0])
@pytest.mark.parametrize(("channels", "size"), [(3, 8), (1, 16), (2, 4), (4, 32), (5, 8)])
@pytest.mark.parametrize("policy", POLICIES, ids=", ".join)
def test_against_the_plain_form(policy, channels, size, p):
    x, numbers = normal(24, channels, size, size), uniform(24)
    ours = augment(x, policy, numbers, p)
    expected = np.stack([augmented(image.numpy(), policy, n.numpy(), p) for image, n in zip(x, numbers)])
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)
    changed = [not torch.equal(a, b) for a, b in zip(ours, x)]
    assert np.mean(changed) > 0.4


@pytest.mark.parametrize("policy", POLICIES, ids=", ".join)
def test_p_0_changes_nothing(policy):
    x = normal(4, 3, 8, 8)
    torch.testing.assert_close(augment(x, policy, uniform(4), 0.0), x, rtol=0, atol=1e-15)


def test_each_change_is_applied_to_its_share_of_the_images_apart_from_the_others():
    """As ADA has it: with p, not all or none. Held on images that show which changes were applied."""
    numbers = uniform(4000)
    x = torch.zeros(4000, 3, 8, 8, dtype=torch.float64)
    x[:, 0] = 1
    cut = (augment(x, ("cutout",), numbers, 0.3)[:, 0] == 0).flatten(1).any(dim=1)
    coloured = (augment(x, ("colour",), numbers, 0.3) != x).flatten(1).any(dim=1)
    assert cut.double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert coloured.double().mean().item() == pytest.approx(1 - 0.7**3, abs=0.03)
    together = (cut & coloured).double().mean().item()
    assert together == pytest.approx(0.3 * (1 - 0.7**3), abs=0.03)


def test_every_place_is_reached_up_to_the_bounds():
    """The largest numbers below 1 in float32 lead to the last place, not beyond."""
    edge = torch.tensor([0.0, 1 - 2**-24])
    for size in (32, 64, 1024):
        numbers = torch.cat([torch.zeros(2, CHANGES), edge[:, None].expand(2, NUMBERS - CHANGES)], dim=1)
        x = torch.ones(2, 1, size, size)
        most = size // 8
        first, last = augment(x, ("translation",), numbers)
        assert first[0].sum() == last[0].sum() == (size - most) ** 2
        assert first[0, :most].sum() == last[0, -most:].sum() == 0
        first, last = augment(x, ("cutout",), numbers)
        quarter = size // 4
        assert (first[0, :quarter, :quarter] == 0).all() and first[0].sum() == size**2 - quarter**2
        assert (last[0, -quarter:, -quarter:] == 0).all() and last[0].sum() == size**2 - quarter**2


def test_gradients_and_their_gradients():
    x, numbers = normal(3, 3, 4, 4).requires_grad_(), uniform(3)

    def changed(x):
        return augment(x, POLICIES[-1], numbers, 0.9)

    assert torch.autograd.gradcheck(changed, (x,))
    assert torch.autograd.gradgradcheck(lambda x: changed(x).square(), (x,))
