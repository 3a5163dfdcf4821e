"""Measuring a model, every snapshot of a run, or a set against a set of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch

from growgan import __version__
from growgan.core.errors import ConfigError, ModelError
from growgan.core.progress import MakeProgress
from growgan.data.dataset import ImageSet
from growgan.data.prepare import prepare
from growgan.devices import choose_layout
from growgan.evaluation.features import FeatureStore
from growgan.evaluation.measures import KINDS, PIXELS, Bench
from growgan.evaluation.requests import Request
from growgan.evaluation.results import Reference, Result
from growgan.evaluation.sources import Fakes, Reals, Sample, Source
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.weights import find_inception
from growgan.models.native import open_model
from growgan.sampling.model import load
from growgan.sampling.sources import find
from growgan.training.run import RunFolder

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure."""

    seed: int = 0
    protocol: str = "legacy"
    """A name of `metrics.inception.PROTOCOLS`."""
    inception: Path | None = None
    vgg: Path | None = None
    batch: int = 16
    device: torch.device


def is_run(path: Path) -> bool:
    """Whether `path` is a run folder, of which every snapshot is measured."""
    return RunFolder(path).exists() and RunFolder(path).models.is_dir()


def evaluate(
    subject: str,
    data: Path,
    requests: Sequence[Request],
    settings: Settings,
    progress: MakeProgress | None = None,
    say: Say = lambda line: None,
) -> Iterator[Result]:
    """Yield each number as it is known. What can't be measured is said and left out; `ConfigError` if that is all."""
    with prepare(data, at_most=_built_at(Path(subject)), progress=progress, say=say) as dataset:
        bench, requests = _set_up(requests, settings, progress, say)
        judge = _Judge(dataset, bench, settings)
        for source, about in _subjects(subject, settings, progress, say):
            for request in requests:
                if source.resolution < KINDS[request.metric].smallest:
                    size = f"{source.resolution}x{source.resolution}"
                    say(f"{source.name}: {request.metric} is not defined for pictures of {size}")
                else:
                    yield from judge.measure(request, source, about)


@dataclass(frozen=True)
class _About:
    subject: str
    hash: str
    mirrored: bool
    snapshot: str | None = None
    nimg: int | None = None


def _built_at(subject: Path) -> int | None:
    """The size that a run's pictures were brought to, so that the same set is found for them again."""
    run = RunFolder(subject if subject.is_dir() else subject.absolute().parent.parent)
    return run.read_config().data.build_resolution if run.exists() else None


def _subjects(
    subject: str, settings: Settings, progress: MakeProgress | None, say: Say
) -> Iterator[tuple[Source, _About]]:
    path = Path(subject)
    if is_run(path):
        for snapshot in list_snapshots(path):
            yield _fakes(snapshot, settings)
    elif path.is_dir() and (path / "models").is_dir():
        yield _fakes(find(path), settings)
    elif path.suffix == ".safetensors" or not path.exists():
        yield _fakes(find(subject), settings)
    else:
        with prepare(path, progress=progress, say=say) as pictures:
            yield Reals(pictures, pictures.resolution), _About(subject, pictures.content_hash, mirrored=False)


def _fakes(path: Path, settings: Settings) -> tuple[Source, _About]:
    model = load(path, settings.device)
    folder = path.absolute().parent
    run = RunFolder(folder.parent)
    mirrored = folder.name == "models" and run.exists() and run.read_config().data.mirror
    nimg = model.file.training.get("nimg")
    about = _About(str(path), model.file.hash, mirrored, path.name, int(nimg) if nimg is not None else None)
    return Fakes(model, settings.seed, settings.batch), about


def list_snapshots(run: Path) -> list[Path]:
    """Models of a run by the images that they have seen; one that is there under several names comes once."""
    models: dict[int, Path] = {}
    for path in RunFolder(run).all_models():
        models.setdefault(int(open_model(path).training.get("nimg", 0)), path)
    if not models:
        raise ModelError(f"the run {run} has no snapshot yet")
    return [models[nimg] for nimg in sorted(models)]


def _set_up(
    requests: Sequence[Request], settings: Settings, progress: MakeProgress | None, say: Say
) -> tuple[Bench, list[Request]]:
    """Load the networks that are needed, and drop what cannot be measured with them."""
    inception, vgg = None, None
    needed = {KINDS[request.metric].network for request in requests}
    if "inception" in needed:
        inception = _store(find_inception(settings.inception, progress), settings.protocol, settings, progress)
    if "vgg" in needed and settings.vgg is not None:
        vgg = _store(settings.vgg, None, settings, progress)
    possible, lacks = [], []
    for request in requests:
        try:
            if request.metric == "is" and inception is not None:
                inception.network.check_classes()
            if request.metric == "pr" and vgg is None:
                raise ConfigError(
                    "precision and recall as published need VGG-16's features: --vgg names a TorchScript file of it; "
                    "pr_inception is the same measure on Inception's"
                )
            possible.append(request)
        except ConfigError as error:
            lacks.append(f"{request.metric}: {error}")
    if not possible:
        raise ConfigError("; ".join(lacks))
    for line in lacks:
        say(line)
    return Bench(settings.seed, settings.device, inception, vgg, progress), possible


def _store(path: Path, protocol: str | None, settings: Settings, progress: MakeProgress | None) -> FeatureStore:
    network = FeatureNetwork(path, protocol, settings.device, choose_layout(settings.device))
    return FeatureStore(network, settings.batch, progress)


class _Judge:
    """Measures subjects against one set, and the set against itself."""

    def __init__(self, dataset: ImageSet, bench: Bench, settings: Settings) -> None:
        self.dataset = dataset
        self.bench = bench
        self.settings = settings
        self._reals: dict[tuple[int, bool], Reals] = {}
        self._references: dict[tuple[Request, int, Reals], list[Reference]] = {}

    def measure(self, request: Request, source: Source, about: _About) -> Iterator[Result]:
        """Yield the numbers of one measure of one subject."""
        kind = KINDS[request.metric]
        reals = self._reals_like(source, about)
        count = min(request.images, source.distinct or request.images)
        if kind.distance and not kind.repeats and not request.full:
            count = min(count, len(self.dataset))
        # All reals are each of them once, or once as it is and once mirrored.
        known = len(self.dataset) * (1 + reals.mirrored) if request.full else count
        found = kind.take(self.bench, Sample(reals, 0, known), Sample(source, 0, count))
        store = {"inception": self.bench.inception, "vgg": self.bench.vgg}.get(kind.network or "")
        title = request.title(count, clean=kind.network == "inception" and self.settings.protocol == "clean")
        for measured, reference in zip_longest(found, self._reference(request, reals, count)):
            yield Result(
                metric=f"{title}_{measured.part}" if measured.part else title,
                value=measured.value,
                levels=measured.levels,
                deviation=measured.deviation,
                images=count,
                real_images=known if kind.distance else None,
                resolution=source.resolution,
                reference=reference,
                subject=about.subject,
                snapshot=about.snapshot,
                nimg=about.nimg,
                subject_hash=about.hash,
                against=str(self.dataset.path),
                against_hash=self.dataset.content_hash,
                mirrored=reals.mirrored,
                seed=self.settings.seed,
                protocol=store.network.name if store else PIXELS,
                growgan=__version__,
            )

    def _reals_like(self, source: Source, about: _About) -> Reals:
        key = source.resolution, about.mirrored
        if key not in self._reals:
            self._reals[key] = Reals(self.dataset, *key)
        return self._reals[key]

    def _reference(self, request: Request, reals: Reals, count: int) -> list[Reference]:
        """Measure reals as if they were fakes: others against the same ones, and fewer where there are not so many."""
        key = request, count, reals
        if key not in self._references:
            distance = KINDS[request.metric].distance
            most = min(count, len(self.dataset) // 2 if distance else len(self.dataset))
            others = Sample(reals, most, 2 * most) if distance else Sample(reals, 0, most)
            self._references[key] = self._take_reference(request, Sample(reals, 0, most), others)
        return self._references[key]

    def _take_reference(self, request: Request, reals: Sample, others: Sample) -> list[Reference]:
        try:
            found = KINDS[request.metric].take(self.bench, reals, others) if len(others) > 1 else []
        except ConfigError:  # too few for this measure
            return []
        return [Reference(measured.value, measured.levels, len(others)) for measured in found]
