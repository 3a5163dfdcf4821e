"""Micro-batches are whole stddev groups, cover the minibatch once, and lead D to the same groups."""

from __future__ import annotations

import pytest
import torch

from growgan.core.config import NetworkSpec
from growgan.networks.layers import minibatch_stddev, stddev_group_size
from growgan.training.shares import microbatches


@pytest.mark.parametrize("n", [1, 2, 6, 7, 8, 10, 12, 14, 16, 30])
@pytest.mark.parametrize("most", [*range(1, 17), None])
@pytest.mark.parametrize("group", [None, 0, 2, 4, 16])
def test_parts(n, most, group):
    spec = NetworkSpec(stddev_group=group)
    parts = microbatches(n, most, spec)
    assert sorted(torch.cat(parts).tolist()) == list(range(n))
    if not spec.has_stddev:
        assert all(len(part) <= (most or n) for part in parts)
        return
    x = torch.randn(n, 2, 4, 4, dtype=torch.float64)
    whole = minibatch_stddev(x, group)
    for part in parts:
        assert torch.equal(minibatch_stddev(x[part], group), whole[part])
    size = stddev_group_size(n, group)
    assert all(len(part) % size == 0 for part in parts)
    assert most is None or all(len(part) <= max(most, size) for part in parts)
