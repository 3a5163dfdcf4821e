"""The contract of seeds: one number is one latent and, with classes, one label; for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from making import make_spec

from growgan.core.errors import ConfigError
from growgan.sampling.latents import draw, label_distribution

COUNTS = {"counts": [1, 2, 3, 0, 4]}
ROWS = {"rows": [[0.0, 1.0], [1.0, 1.0], [0.5, 0.0]]}


def test_golden_latents() -> None:
    spec = make_spec(latent_size=4)
    z, labels = draw([0, 1, 4294967295], spec, {})
    assert labels is None and z.dtype == torch.float32
    golden = [
        [1.764052345967664, 0.4001572083672233, 0.9787379841057392, 2.240893199201458],
        [1.6243453636632417, -0.6117564136500754, -0.5281717522634557, -1.0729686221561705],
        [0.6484086742306527, 0.6693235306338161, -1.0805437227474493, 0.2845010447986309],
    ]
    np.testing.assert_allclose(z.numpy(), golden, rtol=1e-6)


def test_a_latent_does_not_depend_on_its_company() -> None:
    spec = make_spec(latent_size=None)
    together, _ = draw(range(20), spec, {})
    alone, _ = draw([7], spec, {})
    assert together.shape == (20, 8)
    assert torch.equal(together[7:8], alone)
    assert together.unique(dim=0).shape == together.shape


def plain_class(seed: int, length: int, counts: list[int]) -> int:
    """A class by inverting the distribution at the one uniform number that follows the latent."""
    random = np.random.RandomState(seed)
    for _ in range(length):
        random.standard_normal()
    edges = np.cumsum(counts) / sum(counts)
    return int(np.searchsorted(edges, random.random_sample(), side="right"))


def test_classes_are_drawn_after_the_latent() -> None:
    spec = make_spec(num_labels=5)
    z, labels = draw(range(200), spec, COUNTS)
    assert labels is not None and labels.dtype == torch.int64
    assert labels.tolist() == [plain_class(seed, 6, COUNTS["counts"]) for seed in range(200)]
    assert labels[:10].tolist() == [2, 2, 1, 0, 4, 1, 2, 1, 2, 2]
    assert torch.equal(z, draw(range(200), make_spec(), {})[0])
    shares = torch.bincount(labels, minlength=5) / 200
    assert shares[3] == 0 and shares[4] > shares[0]


def test_without_a_distribution_classes_are_equally_likely() -> None:
    spec = make_spec(num_labels=4)
    assert torch.equal(draw(range(50), spec, {})[1], draw(range(50), spec, {"counts": [7, 7, 7, 7]})[1])


def test_attributes_are_a_row_of_the_distribution() -> None:
    spec = make_spec(num_labels=2, multi_label=True)
    _, labels = draw(range(100), spec, ROWS)
    assert labels is not None and labels.dtype == torch.float32
    for seed in range(100):
        random = np.random.RandomState(seed)
        random.standard_normal(6)
        assert labels[seed].tolist() == ROWS["rows"][random.randint(3)]
    assert len(labels.unique(dim=0)) == 3


@pytest.mark.parametrize(
    ("multi", "label", "expected"),
    [
        (False, 2, [2, 2]),
        (False, np.int64(2), [2, 2]),
        (False, [0.5, 0.5, 0], [[0.5, 0.5, 0]] * 2),
        (True, 1, [[0, 1, 0]] * 2),
        (True, (1, 0.25, 1), [[1, 0.25, 1]] * 2),
        (True, np.array([1, 0, 1]), [[1, 0, 1]] * 2),
    ],
)
def test_a_label_that_is_given(multi: bool, label: Any, expected: list[Any]) -> None:
    spec = make_spec(num_labels=3, multi_label=multi)
    z, labels = draw([3, 4], spec, {}, label)
    assert labels is not None and labels.tolist() == expected
    assert labels.dtype == (torch.int64 if expected == [2, 2] else torch.float32)
    assert torch.equal(z, draw([3, 4], make_spec(), {})[0])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_do_not_exist(seed: int) -> None:
    with pytest.raises(ConfigError, match="a seed must be between 0 and 4294967295"):
        draw([seed], make_spec(), {})


@pytest.mark.parametrize(
    ("classes", "label", "message"),
    [
        (0, 1, "this model has no classes"),
        (3, 3, "unknown class 3: this model has classes 0 to 2"),
        (3, -1, "unknown class -1"),
        (3, [1.0, 0.0], "a label for all pictures is a class by number or name, or 3 numbers, not"),
        (3, [[1.0, 0.0, 0.0]], "a class by number or name, or 3 numbers"),
        (3, 0.5, "a class by number or name, or 3 numbers"),
        (3, "cat", r"a class is a number here; model.label\('cat'\) has that of a name"),
        (3, [1.0, float("nan"), 0.0], "labels must be finite numbers"),
        (3, [0, 1, 2], "a mixture of 3 classes is 3 weights that add up to 1; for a class for each picture"),
        (3, [[1], [2, 3]], "a class by number or name, or 3 numbers"),
    ],
)
def test_labels_that_do_not_exist(classes: int, label: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw([0], make_spec(num_labels=classes), {}, label)


def test_the_distribution_that_is_kept() -> None:
    assert label_distribution(None, 0, False) == {}
    assert label_distribution(np.array([0, 2, 2]), 0, False) == {}
    assert label_distribution(np.array([0, 2, 2]), 4, False) == {"counts": [1, 0, 2, 0]}
    assert label_distribution(np.eye(3)[[0, 2, 2]], 3, False) == {"counts": [1, 0, 2]}
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert label_distribution(rows, 2, True) == {"rows": rows.tolist()}


def test_at_most_a_thousand_rows_are_kept_from_the_whole_set() -> None:
    table = np.arange(5000, dtype=np.float32)[:, None]
    rows = np.array(label_distribution(table, 1, True)["rows"])
    assert rows.shape == (1000, 1) and rows[0] == 0 and rows[-1] == 4999
    assert 4 <= np.diff(rows[:, 0]).min() <= np.diff(rows[:, 0]).max() <= 6
