"""Nearest rows against a plain loop."""

from __future__ import annotations

import numpy as np
import torch

from growgan.metrics.nearest import NearestRows


def test_against_a_plain_search() -> None:
    random = np.random.RandomState(0)
    views, rows = random.randint(0, 256, (2, 5, 40)), random.randint(0, 256, (97, 40))
    nearest = NearestRows(torch.from_numpy(views), 4)
    for start in range(0, 97, 10):
        nearest.add(torch.from_numpy(rows[start : start + 10]))
    distances, numbers, which = (part.numpy() for part in nearest.result())
    for q in range(5):
        plain = np.array([[np.sqrt(((view[q] - row) ** 2).sum()) for view in views] for row in rows])
        order = plain.min(1).argsort(kind="stable")[:4]
        np.testing.assert_array_equal(numbers[q], order)
        np.testing.assert_allclose(distances[q], plain.min(1)[order], rtol=1e-12)
        np.testing.assert_array_equal(which[q], plain.argmin(1)[order])


def test_a_copy_is_at_distance_zero_exactly_and_equal_rows_keep_their_order() -> None:
    rows = torch.randint(0, 256, (40, 12288), generator=torch.Generator().manual_seed(0))
    rows[30] = rows[7]
    nearest = NearestRows(rows[None, [7]], 3)
    nearest.add(rows[:20])
    nearest.add(rows[20:])
    found = nearest.result()
    assert found.rows[0, :2].tolist() == [7, 30]
    assert found.distances[0, :2].tolist() == [0, 0] and found.distances[0, 2] > 1000


def test_fewer_rows_than_are_asked_for() -> None:
    nearest = NearestRows(torch.zeros(1, 2, 3), 5)
    nearest.add(torch.ones(2, 3))
    assert nearest.result().distances.shape == (2, 2)
