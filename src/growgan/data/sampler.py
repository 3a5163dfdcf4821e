"""The endless shuffled stream of pictures, and its loader, which reads one batch ahead.

Item i of the stream depends on (seed, i) alone: a run that resumes at any number of images needs no stored state, and
the number of processes does not change what is seen.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from growgan.data.dataset import ImageSet

Batch = tuple[NDArray[np.uint8], NDArray[Any] | None]


class Sampler:
    """An endless stream over `count` pictures: each epoch is a permutation drawn from (seed, epoch)."""

    def __init__(self, count: int, seed: int) -> None:
        if count < 1:
            raise ValueError("a sampler needs at least one picture")
        self.count = count
        self.seed = seed
        # Two, since a batch may span the boundary between two epochs.
        self._recent: dict[int, NDArray[np.int64]] = {}
        self._lock = threading.Lock()

    def indices(self, start: int, n: int) -> NDArray[np.int64]:
        """Return items start .. start+n-1 of the stream, int64 [n]."""
        parts = [np.empty(0, np.int64)]
        while n > 0:
            epoch, offset = divmod(start, self.count)
            part = self._permutation(epoch)[offset : offset + n]
            parts.append(part)
            start, n = start + len(part), n - len(part)
        return np.concatenate(parts)

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        with self._lock:
            if epoch not in self._recent:
                # RandomState's stream is frozen; a Generator's may change with numpy's version.
                draws = np.random.RandomState(np.random.MT19937(np.random.SeedSequence((self.seed, epoch))))
                while len(self._recent) >= 2:
                    del self._recent[next(iter(self._recent))]
                self._recent[epoch] = draws.permutation(self.count).astype(np.int64)
            return self._recent[epoch]


class _Request(NamedTuple):
    nimg: int
    n: int
    resolution: int | None
    rows: tuple[int, ...] | None


class Loader:
    """Batches of the stream; while one is used, the one most likely to follow is read in the background.

    A wrong guess costs only the work: the results are the same with and without reading ahead.
    """

    def __init__(self, dataset: ImageSet, sampler: Sampler) -> None:
        self.dataset = dataset
        self.sampler = sampler
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="growgan-loader")
        self._guess: tuple[_Request, Future[Batch]] | None = None

    def batch(self, nimg: int, n: int, resolution: int | None = None, rows: NDArray[np.int64] | None = None) -> Batch:
        """Return items nimg .. nimg+n-1 of the stream: uint8 [n, C, r, r] and their labels, [n], [n, K] or None.

        rows: which of these n items are wanted, in which order (None: all); each process reads only its share. An error
        in the background is raised by the call that asks for that batch.
        """
        request = _Request(nimg, n, resolution, None if rows is None else tuple(rows.tolist()))
        guess, self._guess = self._guess, None
        if guess is not None and guess[0] == request:
            batch = guess[1].result()
        else:
            if guess is not None:
                guess[1].cancel()
            batch = self._read(request)
        following = request._replace(nimg=nimg + n)
        self._guess = following, self._pool.submit(self._read, following)
        return batch

    def close(self) -> None:
        """End the background thread; the data set stays open."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, request: _Request) -> Batch:
        indices = self.sampler.indices(request.nimg, request.n)
        if request.rows is not None:
            indices = indices[list(request.rows)]
        labels = self.dataset.labels
        images = self.dataset.images(indices, request.resolution)
        return images, None if labels is None else labels[indices]
