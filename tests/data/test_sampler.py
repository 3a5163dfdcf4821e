"""The stream depends on (seed, position) alone, and reading ahead changes nothing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from growgan.data.sampler import Loader, Sampler


class Numbers:
    """A set whose pictures are their own index; counts what is read, and breaks when told to."""

    labels = np.arange(10) * 10

    def __init__(self) -> None:
        self.reads: list[tuple[list[int], int | None]] = []
        self.broken = False

    def images(self, indices: np.ndarray, resolution: int | None = None) -> np.ndarray:
        self.reads.append((indices.tolist(), resolution))
        if self.broken:
            raise OSError("disk gone")
        return np.broadcast_to(indices.astype(np.uint8)[:, None, None, None], (len(indices), 1, 4, 4))


def make_loader() -> tuple[Any, Loader]:
    dataset: Any = Numbers()
    return dataset, Loader(dataset, Sampler(10, 3))


def test_every_epoch_is_a_permutation_and_no_two_are_alike() -> None:
    stream = Sampler(100, 7).indices(0, 400).reshape(4, 100)
    assert all(sorted(epoch) == list(range(100)) for epoch in stream.tolist())
    assert len({tuple(epoch) for epoch in stream.tolist()}) == 4
    assert stream.dtype == np.int64


def test_any_part_of_the_stream_is_the_same_however_it_is_asked() -> None:
    whole = Sampler(7, 1).indices(0, 100)
    sampler = Sampler(7, 1)
    for start, n in [(93, 7), (0, 3), (5, 20), (6, 1), (7, 0), (50, 50)]:
        assert np.array_equal(sampler.indices(start, n), whole[start : start + n])
    assert not np.array_equal(Sampler(7, 2).indices(0, 100), whole)


def test_stream_is_frozen() -> None:
    assert Sampler(10, 0).indices(0, 12).tolist() == [6, 1, 0, 5, 3, 8, 7, 9, 2, 4, 7, 3]


def test_positions_far_along_are_reached_at_once() -> None:
    assert Sampler(30000, 0).indices(12_000_000_000, 64).shape == (64,)


def test_no_pictures_no_sampler() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Sampler(0, 1)


def test_loader_reads_ahead_and_returns_the_stream() -> None:
    dataset, loader = make_loader()
    stream = Sampler(10, 3).indices(0, 40)
    with loader:
        for nimg in range(0, 40, 4):
            images, labels = loader.batch(nimg, 4, 4)
            assert images[:, 0, 0, 0].tolist() == stream[nimg : nimg + 4].tolist()
            assert labels.tolist() == (stream[nimg : nimg + 4] * 10).tolist()
    assert len(dataset.reads) <= 11


def test_wrong_guesses_are_thrown_away() -> None:
    _, loader = make_loader()
    stream = Sampler(10, 3).indices(0, 200)
    with loader:
        for nimg, n in [(0, 4), (4, 2), (100, 8), (0, 4), (4, 4)]:
            images, _ = loader.batch(nimg, n, 4)
            assert images[:, 0, 0, 0].tolist() == stream[nimg : nimg + n].tolist()


def test_processes_that_share_a_minibatch_read_their_rows_only() -> None:
    stream = Sampler(10, 3).indices(0, 40)
    for rows in (np.array([0, 4, 1]), np.array([7])):
        dataset, loader = make_loader()
        with loader:
            for nimg in (0, 8, 16):
                images, labels = loader.batch(nimg, 8, 4, rows)
                assert images[:, 0, 0, 0].tolist() == stream[nimg + rows].tolist()
                assert labels.tolist() == (stream[nimg + rows] * 10).tolist()
        assert len(dataset.reads) <= 4 and all(len(read) == len(rows) for read, _ in dataset.reads)


def test_errors_of_the_background_surface_and_do_not_stick() -> None:
    dataset, loader = make_loader()
    with loader:
        loader.batch(0, 2, 4)
        while len(dataset.reads) < 2:
            time.sleep(0.001)  # the guess is read before the disk breaks
        dataset.broken = True
        loader.batch(2, 2, 4)
        with pytest.raises(OSError, match="disk gone"):
            loader.batch(4, 2, 4)
        dataset.broken = False
        assert loader.batch(4, 2, 4)[0].shape == (2, 1, 4, 4)
