"""The measures by which a run chooses its best snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from growgan.core.config import RunConfig
from growgan.core.errors import RunError, within_memory
from growgan.core.progress import Progress, Silent
from growgan.core.schedule import Phase
from growgan.data.dataset import ImageSet
from growgan.data.reals import Reals
from growgan.devices import choose_layout
from growgan.metrics import titled
from growgan.metrics.features import FeatureStore
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.kid import kid
from growgan.metrics.streams import Sample, SeedBlock, apart
from growgan.metrics.swd import COARSEST, Descriptors, swd
from growgan.metrics.weights import find_inception
from growgan.sampling import images, latents
from growgan.training.ranks import Ranks
from growgan.training.state import TrainState
from growgan.training.stop import Stop

T = TypeVar("T")

BATCH = 64
"""Pictures, of up to 256x256, that are generated and measured at once."""
REMEDY = "turn it off with --set snapshots.measure=none, or lower snapshots.measure_images"
BLOCK = SeedBlock(0)
"""Random seeds that `growgan evaluate` never uses."""


def check_measure(config: RunConfig) -> None:
    """Raise `ModelError` if the measure's network is not available."""
    if config.snapshots.measure == "kid":
        find_inception()


def make_measure(
    config: RunConfig, dataset: ImageSet, labels: dict[str, Any], device: torch.device, stop: Stop | None = None
) -> Measure | None:
    """The measure that a configuration names. stop: interrupts a measurement, which may take long."""
    match config.snapshots.measure:
        case "swd":
            return SwdMeasure(config, dataset, labels)
        case "kid":
            network = FeatureNetwork(find_inception(), "legacy", device, choose_layout(device))
            return KidMeasure(config, dataset, labels, network, stop)
    return None


class Measure(ABC):
    """A distance of G_ema's pictures from reals of the same size. Raises `UserError` in all processes alike."""

    metric: str

    def __init__(self, config: RunConfig, dataset: ImageSet, labels: dict[str, Any], stop: Stop | None = None) -> None:
        self.count = min(config.snapshots.measure_images, len(dataset))
        self.dataset = dataset
        self.distribution = labels
        self.mirrored = config.data.mirror
        self.stop = stop

    @abstractmethod
    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance at the phase's resolution; None if the measure is not defined."""

    def share(
        self,
        ranks: Ranks,
        phase: Phase,
        what: str,
        numbers: range,
        make: Callable[[range], T],
        take: Callable[[T], None],
    ) -> None:
        """Call `make` on each batch of `numbers`, and `take` in the first process on each result, in order.

        The batches are shared among the processes, but are the same for any number of processes.
        """
        size = batch_size(phase.resolution)
        starts = range(numbers.start, numbers.stop, size)
        batches = [range(start, min(start + size, numbers.stop)) for start in starts]
        with (Progress if ranks.first else Silent)(len(numbers), what) as bar:
            for start in range(0, len(batches), ranks.world):
                some = batches[start : start + ranks.world]
                if self.stop is not None and ranks.all_reduce_max(int(self.stop.asked is not None))[0]:
                    raise RunError("the run is stopping")
                own = some[ranks.rank : ranks.rank + 1]
                made = ranks.gather(ranks.on_all(partial(within_memory, partial(_each, make, own), REMEDY)))
                _decide(ranks, partial(_take_all, take, made))
                bar.advance(sum(map(len, some)))

    @torch.no_grad()
    def fakes(self, state: TrainState, phase: Phase, batch: range) -> np.ndarray:
        """A batch of pictures, uint8 [n, C, S, S]."""
        seeds = range(BLOCK.fakes + batch.start, BLOCK.fakes + batch.stop)
        z, labels = latents.draw(seeds, state.spec, self.distribution)
        labels = labels.to(state.device) if labels is not None else None
        z = z.to(state.device, state.dtype)
        made = state.G_ema(z, labels, phase.resolution, phase.alpha)
        if not bool(made.isfinite().all()):  # as bytes they would be black pictures
            raise RunError("pictures of G_ema are not finite numbers")
        return images.to_uint8(made)

    def reals(self, phase: Phase) -> Reals:
        """The dataset's pictures, mirrored if training mirrors them; in the order of `growgan evaluate`."""
        return Reals(self.dataset, phase.resolution, self.mirrored)

    def result(self, phase: Phase, value: float, protocol: str, reference: dict[str, Any] | None) -> dict[str, Any]:
        """What every measure reports."""
        return {
            "name": titled(self.metric, self.count),
            "value": value,
            "images": self.count,
            "resolution": phase.resolution,
            "protocol": protocol,
            "seed": BLOCK.fakes,
            "mirrored": self.mirrored,
            "against_hash": self.dataset.content_hash,
            "reference": reference,
        }


class SwdMeasure(Measure):
    """Sliced Wasserstein distance (paper, section 5)."""

    metric = "swd"
    _known: tuple[int, Descriptors, dict[str, Any] | None] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance; None below 16 pixels."""
        if phase.resolution < COARSEST or state.spec.channels not in (1, 3):
            return None
        if self._known is None or self._known[0] != phase.resolution:
            self._known = None  # the descriptors of two sizes may not fit into memory together
            self._known = phase.resolution, *self._describe_reals(state.ranks, phase, _quick(state.device))
        _, reals, reference = self._known
        fakes = Descriptors(BLOCK.patches[1], _quick(state.device))
        make = partial(self.fakes, state, phase)
        self.share(state.ranks, phase, "measured fakes", range(self.count), make, fakes.add)
        found = _decide(state.ranks, lambda: swd(reals, fakes, BLOCK.number))
        return self.result(phase, found.average, "pixels", reference) | {"levels": _named(found.levels)}

    def _describe_reals(
        self, ranks: Ranks, phase: Phase, device: torch.device
    ) -> tuple[Descriptors, dict[str, Any] | None]:
        """The reals, and their distance from as many others, or between the halves of a dataset too small for that."""
        source = self.reals(phase)

        def read(batch: range) -> np.ndarray:
            return source.pixels(batch.start, batch.stop)

        def describe(numbers: range, seed: int) -> Descriptors:
            found = Descriptors(seed, device)
            self.share(ranks, phase, "measured reals", numbers, read, found.add)
            return found

        first, second = apart(self.count, len(self.dataset))
        most, reference = len(first), None
        if most > 1:
            known = describe(first, BLOCK.patches[0])
            others = describe(second, BLOCK.patches[1])
            found = _decide(ranks, lambda: swd(known, others, BLOCK.number))
            reference = {"value": found.average, "levels": _named(found.levels), "images": most}
            del others
            if most == self.count:
                return known, reference
            del known
        return describe(range(self.count), BLOCK.patches[0]), reference


class KidMeasure(Measure):
    """Kernel inception distance: it compares content where SWD compares texture, but runs Inception on every fake."""

    metric = "kid"

    def __init__(
        self,
        config: RunConfig,
        dataset: ImageSet,
        labels: dict[str, Any],
        network: FeatureNetwork,
        stop: Stop | None = None,
    ) -> None:
        super().__init__(config, dataset, labels, stop)
        self.network = network
        self._resolution = 0
        self._reals = torch.empty(0)
        self._reference: dict[str, Any] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance."""
        if state.spec.channels not in (1, 3):
            return None
        if self._resolution != phase.resolution:
            _decide(state.ranks, lambda: self._look_at_reals(phase))
            self._resolution = phase.resolution
        look = partial(self._look_at_fakes, state, phase)
        fakes: list[Tensor] = []
        self.share(state.ranks, phase, "features of fakes", range(self.count), look, fakes.append)
        value, deviation = _decide(state.ranks, lambda: kid(self._reals, torch.cat(fakes), BLOCK.number))
        return self.result(phase, value, self.network.name, self._reference) | {"deviation": deviation}

    def _look_at_fakes(self, state: TrainState, phase: Phase, batch: range) -> Tensor:
        return self.network.features(self.fakes(state, phase, batch))

    def _look_at_reals(self, phase: Phase) -> None:
        """Compute the features of the reals, cached like those of `growgan evaluate`.

        The distance between their halves is reported with the fakes': its expectation does not depend on the number of
        images.
        """
        store = FeatureStore(self.network, batch_size(phase.resolution), Progress)
        self._reals = store.all_rows(Sample(self.reals(phase), 0, self.count))
        half = self.count // 2
        self._reference = None
        if half > 1:
            value = kid(self._reals[:half], self._reals[half : 2 * half], BLOCK.number).value
            self._reference = {"value": value, "levels": None, "images": half}


def _quick(device: torch.device) -> torch.device:
    """Where patches are compared: on a CUDA GPU, which has float64, else on the CPU."""
    return device if device.type == "cuda" else torch.device("cpu")


def batch_size(resolution: int) -> int:
    """Pictures that a measure generates at once: so few at large sizes that a training step needs more memory."""
    return max(4, min(BATCH, BATCH * 256**2 // resolution**2))


def _decide(ranks: Ranks, work: Callable[[], T]) -> T:
    return ranks.on_first(partial(within_memory, work, REMEDY))


def _named(levels: dict[int, float]) -> dict[str, float]:
    return {str(size): value for size, value in levels.items()}


def _each(make: Callable[[range], T], batches: list[range]) -> list[T]:
    return [make(batch) for batch in batches]


def _take_all(take: Callable[[T], None], made: list[list[T]]) -> None:
    for some in made:
        for one in some:
            take(one)
