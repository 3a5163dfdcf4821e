"""Draws have names and a place on the clock; who computes which rows changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from growgan.training.draws import Draws

DRAWS = Draws(1000, "D", 640, 12, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("draw", ["normal", "uniform"])
def test_rows_are_rows_of_the_whole(draw: str) -> None:
    whole = getattr(DRAWS, draw)("x", 3, 1)
    assert whole.shape == (12, 3, 1) and whole.dtype == torch.float32
    for rows in (torch.arange(4), torch.tensor([11, 2, 5])):
        assert torch.equal(getattr(DRAWS.of(rows), draw)("x", 3, 1), whole[rows])
    assert torch.equal(DRAWS.of(torch.tensor([3])).integers("y", 9), DRAWS.integers("y", 9)[3:4])


def test_seed_step_name_and_clock_all_matter() -> None:
    first = DRAWS.normal("x", 5)
    assert torch.equal(first, DRAWS.normal("x", 5)), "a draw can be made again"
    others = [replace(DRAWS, seed=1), replace(DRAWS, step="G"), replace(DRAWS, nimg=641)]
    values = [draws.normal("x", 5) for draws in others] + [DRAWS.normal("y", 5)]
    assert all(not torch.isclose(first, other).any() for other in values)


def test_distributions() -> None:
    many = replace(DRAWS, n=20000, dtype=torch.float64)
    normal, uniform, whole = many.normal("a"), many.uniform("b"), many.integers("c", 4)
    assert normal.dtype == uniform.dtype == torch.float64
    assert normal.mean().abs() < 0.03 and (normal.std() - 1).abs() < 0.03
    assert 0 <= uniform.min() < 0.01 and 0.99 < uniform.max() < 1
    assert torch.bincount(whole).tolist() == pytest.approx([5000] * 4, abs=300)
    assert whole.dtype == torch.int64


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    DRAWS.normal("x", 5), DRAWS.uniform("x"), DRAWS.integers("x", 2)
    assert torch.equal(state, torch.get_rng_state())
