"""The training pictures nearest to generated ones, which show whether a model repeats what it was trained on.

The paper finds the nearest neighbours of its faces by features (activations of VGG layers) of the region around the
face, so that hair and background do not decide. Here it is the central part of every picture, in the requested space:
pixels, or features of Inception or VGG-16. The distances of fakes are set against those of held-out reals, which were
not used in training either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from growgan.core.errors import ConfigError, DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.dataset import ImageSet
from growgan.data.framing import Box, Framing
from growgan.data.pictures import Rejected
from growgan.data.prepare import check_reaches, prepare
from growgan.data.reals import Reals
from growgan.evaluation.evaluate import Settings, open_inception, open_vgg
from growgan.evaluation.sources import Part, Pictures
from growgan.evaluation.subjects import Say, was_mirrored
from growgan.metrics.features import FeatureStore
from growgan.metrics.nearest import NearestRows
from growgan.metrics.streams import Sample
from growgan.models.description import DescribedFile
from growgan.sampling.model import Model, load

SPACES = ("pixel", "inception", "vgg")
CENTRE = (0.2, 0.2, 0.8, 0.8)
"""Left, top, right, bottom: in a framed face, the part from the brows to the mouth."""
HELD_OUT = 1000
"""Held-out reals that are examined, at most."""
QUERY_BYTES = 2**30
"""Bytes of queries in float64 compared at once; for more, the set is read several times."""
ROWS_AT_ONCE = 512
BATCH_BYTES = 2**27
"""Bytes of training pictures in float64 at once; never less than one picture."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked."""

    model: str
    data: Path
    """The pictures it was trained on."""
    seeds: Sequence[int]
    held_out: Path | None = None
    """Pictures of the same kind that it was not trained on."""
    space: str = "pixel"
    """A name of `SPACES`."""
    count: int = 5
    """Neighbours of each picture."""
    crop: tuple[float, float, float, float] = CENTRE
    truncation: float = 1.0

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ConfigError(f"--space must be {', '.join(SPACES[:-1])} or {SPACES[-1]}, not {self.space!r}")
        if not 1 <= self.count <= 100:
            raise ConfigError(f"--count must be between 1 and 100, not {self.count}")


@dataclass(frozen=True)
class Found:
    """Some pictures, and the training pictures nearest to each."""

    pictures: Pictures
    """N of them, named ``seed 3`` or after the held-out picture."""
    distances: NDArray[np.float64]
    """[N, k], the nearest first: root mean square in levels of 255 for pixels, Euclidean for features."""
    indices: NDArray[np.int64]
    """Indices of the training pictures in the set: [N, k]."""
    mirrored: NDArray[np.bool_]
    """Whether it is the training picture's mirror image that is near: [N, k]."""


@dataclass(frozen=True)
class Answer:
    """What was found."""

    question: Question
    model: DescribedFile
    dataset: ImageSet
    """Still open, so that the neighbours can be shown."""
    box: Box
    """The part in pixels that was compared."""
    both_sides: bool
    """Whether the set's mirror images count as training pictures."""
    fakes: Found
    held_out: Found | None


def find_neighbours(
    question: Question, settings: Settings, progress: MakeProgress = Silent, say: Say = lambda line: None
) -> Answer:
    """Find the neighbours. The caller has to close the answer's `dataset`. Raises `UserError`s."""
    model = load(question.model, settings.device)
    size, both = model.resolution, was_mirrored(model.file, say)
    box = _box(question, size, both)
    space = _Space(question.space, settings, progress, say)
    dataset = prepare(question.data, at_most=size, progress=progress, say=say)
    try:
        check_reaches(question.data, dataset, size, f"of {model.file.path.name}")
        reals = Reals(dataset, size)
        asked = [_make(model, question, progress)]
        if question.held_out is not None:
            with prepare(question.held_out, at_most=size, progress=progress, say=say) as others:
                check_reaches(question.held_out, others, size, f"of {model.file.path.name}")
                asked.append(_keep(Reals(others, size)))
        views = [
            torch.cat([space.rows(Part(some, box, turned)) for some in asked]) for turned in (False, True)[: 1 + both]
        ]
        distances, indices, mirrored = _search(torch.stack(views), reals, box, question.count, space, progress)
        found, start = [], 0
        for some in asked:
            rows = slice(start, start := start + len(some.names))
            found.append(Found(some, distances[rows], indices[rows], mirrored[rows]))
        return Answer(question, model.file, dataset, box, both, found[0], found[1] if len(found) > 1 else None)
    except BaseException:
        dataset.close()
        raise


def _make(model: Model, question: Question, progress: MakeProgress) -> Pictures:
    """Return the generated pictures."""
    seeds = ",".join(map(str, question.seeds))
    parts = []
    with progress(len(question.seeds), "pictures") as bar:
        for pixels in model.batches(question.seeds, truncation=question.truncation):
            parts.append(pixels)
            bar.advance(len(pixels))
    key = f"model {model.file.hash} seeds {seeds} truncation {question.truncation:g}"
    return Pictures(model.file.path.name, key, [f"seed {seed}" for seed in question.seeds], np.concatenate(parts))


def _keep(reals: Reals) -> Pictures:
    """Return held-out pictures, from all parts of their set."""
    count = min(len(reals.dataset), HELD_OUT)
    names = [picture_name(reals.dataset, index) for index in reals.indices(0, count)]
    return Pictures(reals.name, reals.key, names, reals.pixels(0, count))


def picture_name(dataset: ImageSet, index: int) -> str:
    """Return a picture's original name if the set records it, else its name in the set."""
    return Path((dataset.sources or dataset.names)[index]).name


def _box(question: Question, size: int, both_sides: bool) -> Box:
    try:
        box = Framing(question.crop).find_box(size, size)
    except (Rejected, DataError) as error:
        raise ConfigError(f"--crop: {error}") from error
    if both_sides and box[0] != size - box[2]:
        raise ConfigError("--crop must be symmetric left to right: the model was trained on mirrored pictures too")
    return box


def _search(
    views: Tensor, reals: Reals, box: Box, count: int, space: _Space, progress: MakeProgress
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Compare queries [V, Q, D] with every picture of the set: distances, indices and mirrored, [Q, k] each."""
    total, part = len(reals.dataset), Part(reals, box)
    at_once = max(1, QUERY_BYTES // (views[:, :1].numel() * 8))
    results = []
    for start in range(0, views.shape[1], at_once):
        block = NearestRows(views[:, start : start + at_once], count)
        with progress(total, f"training pictures of {reals.name}") as bar:
            for rows in space.some(part):
                block.add(rows)
                bar.advance(len(rows))
        results.append(block.result())
    distances = torch.cat([one.distances for one in results]) / space.unit(views.shape[2])
    order = reals.indices(0, total)
    return (
        distances.numpy(),
        order[torch.cat([one.rows for one in results]).numpy()],
        torch.cat([one.views for one in results]).numpy() == 1,
    )


class _Space:
    """The space in which pictures are compared: turns a source's pictures into rows."""

    def __init__(self, name: str, settings: Settings, progress: MakeProgress, say: Say) -> None:
        self.store: FeatureStore | None = None
        match name:
            case "inception":
                self.store = open_inception(settings, progress, say)
            case "vgg":
                if settings.vgg is None:
                    raise ConfigError("--space vgg needs --vgg, a TorchScript file of VGG-16; inception does not")
                self.store = open_vgg(settings, progress)

    def some(self, part: Part) -> Iterator[Tensor]:
        """Yield the rows of all its pictures, [n, D], a batch at a time: pixels as bytes, features in float32."""
        assert part.distinct is not None
        sample = Sample(part, 0, part.distinct)
        if self.store is not None:
            yield from self.store.rows(sample)
            return
        fit = BATCH_BYTES // (part.channels * part.resolution**2 * 8)
        for pixels in sample.batches(min(max(1, fit), ROWS_AT_ONCE)):
            yield torch.from_numpy(pixels.reshape(len(pixels), -1))

    def rows(self, part: Part) -> Tensor:
        """Return all rows, [N, D]."""
        return torch.cat(list(self.some(part)))

    def unit(self, width: int) -> float:
        """Return the divisor of distances, which for pixels makes them a root mean square in levels."""
        return 1.0 if self.store is not None else float(np.sqrt(width))
