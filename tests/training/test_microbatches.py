"""Micro-batches are whole stddev groups, cover the minibatch once, and lead D to the same groups."""

from __future__ import annotations

import pytest
import torch

from growgan.core.config import NetworkSpec, Variant
from growgan.networks import variants
from growgan.networks.layers import minibatch_stddev, stddev_group_size
from growgan.training.microbatches import own_rows, parts


@pytest.mark.parametrize("n", [1, 2, 6, 7, 8, 10, 12, 14, 16, 30])
@pytest.mark.parametrize("most", [*range(1, 17), None])
@pytest.mark.parametrize("group", [None, 0, 2, 4, 16])
def test_parts(n, most, group):
    spec = NetworkSpec(stddev_group=group)
    cut = [part.rows for part in parts(n, most, spec)]
    assert sorted(torch.cat(cut).tolist()) == list(range(n))
    if not spec.has_stddev:
        assert all(len(part) <= (most or n) for part in cut)
        return
    x = torch.randn(n, 2, 4, 4, dtype=torch.float64)
    whole = minibatch_stddev(x, group)
    for part in cut:
        assert torch.equal(minibatch_stddev(x[part], group), whole[part])
    size = stddev_group_size(n, group)
    assert all(len(part) % size == 0 for part in cut)
    assert most is None or all(len(part) <= max(most, size) for part in cut)


@pytest.mark.parametrize("n", [1, 6, 8, 12, 16])
@pytest.mark.parametrize("most", [1, 4, 8, None])
@pytest.mark.parametrize("group", [None, 2, 4])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_contiguous_groups(n, most, group, world):
    """The variant of imported networks: a part's groups are those of the whole minibatch."""
    spec = NetworkSpec(stddev_group=group, variant=Variant(stddev_groups="contiguous", stddev_unbiased=True))
    cut = [part.rows for rank in range(world) for part in parts(n, most, spec, rank, world)]
    assert sorted(torch.cat(cut).tolist()) == list(range(n))
    x = torch.randn(n, 2, 4, 4, dtype=torch.float64)
    zoo = variants.minibatch_stddev(spec.variant)
    whole = zoo(x, group, 1)
    for rows in cut:
        assert torch.equal(zoo(x[rows], group, 1), whole[rows])


@pytest.mark.parametrize("n", [1, 6, 8, 12, 14, 16, 32])
@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("most", [1, 4, None])
@pytest.mark.parametrize("group", [None, 0, 2, 4])
def test_processes(n, world, most, group):
    """Their shares cover the minibatch once, in whole groups, as evenly as groups allow; the first has always some."""
    spec = NetworkSpec(stddev_group=group)
    shares = [parts(n, most, spec, rank, world) for rank in range(world)]
    rows = [own_rows(share) for share in shares]
    assert sorted(torch.cat(rows).tolist()) == list(range(n))
    size = stddev_group_size(n, group if spec.has_stddev else 1)
    counts = [len(some) // size for some in rows]
    assert counts == sorted(counts, reverse=True) and counts[0] - counts[-1] <= 1 and counts[0] >= 1
    x = torch.randn(n, 2, 4, 4, dtype=torch.float64)
    whole = minibatch_stddev(x, group if spec.has_stddev else 1)
    for share, some in zip(shares, rows):
        for part in share:
            assert torch.equal(some[part.own], part.rows)
            assert torch.equal(minibatch_stddev(x[part.rows], group if spec.has_stddev else 1), whole[part.rows])
