"""What is measured: a model, every snapshot of a run, or a set; and the set that it is measured against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from growgan.core.errors import ConfigError, DataError, ModelError
from growgan.core.progress import MakeProgress
from growgan.core.runfiles import RunFiles, is_run
from growgan.data.dataset import ImageSet
from growgan.data.prepare import check_reaches, prepare
from growgan.data.reals import Reals
from growgan.evaluation.sources import Fakes
from growgan.metrics.streams import Source
from growgan.models.native import ModelFile, open_model
from growgan.sampling.model import load
from growgan.sampling.sources import find, is_shipped

Say = Callable[[str], None]

OF_OTHERS = (".onnx", ".pkl", ".pickle", ".pt", ".pth", ".model")
"""Suffixes of files that hold a network, but cannot be measured."""


@dataclass(frozen=True)
class About:
    """What a result says about its subject."""

    subject: str
    hash: str
    mirrored: bool
    """Whether it was trained on mirrored pictures as well, and so is measured against such."""
    snapshot: str | None = None
    nimg: int | None = None


@dataclass(frozen=True)
class Subject:
    """Something to measure. Opening it may raise `ModelError` or `OSError`: a run in progress drops old snapshots."""

    name: str
    resolution: int
    open: Callable[[], tuple[Source, About]]


@contextmanager
def opened(
    subject: str,
    data: Path,
    seed: int,
    batch: int,
    device: torch.device,
    progress: MakeProgress,
    say: Say,
    hint: Say,
) -> Iterator[tuple[ImageSet, list[Subject]]]:
    """Open the set and find the subjects, checking that sizes fit. Raises `UserError`s before anything is measured."""
    models = _find_models(subject, hint)
    with prepare(data, **_sizes(models, data), progress=progress, say=say) as dataset:
        if models is not None:
            subjects = [_of_model(model, seed, batch, device, hint) for model in models]
            _check_sizes(subjects, data, dataset)
            yield dataset, subjects
            return
        with prepare(subject, at_most=dataset.resolution, progress=progress, say=say) as pictures:
            reals = Reals(pictures, pictures.resolution)
            about = About(subject, pictures.content_hash, mirrored=False)
            subjects = [Subject(reals.name, reals.resolution, lambda: (reals, about))]
            _check_sizes(subjects, data, dataset)
            if pictures.content_hash == dataset.content_hash:
                hint(f"{subject} is measured against itself")
            yield dataset, subjects


def check_paths(subject: str, data: Path) -> None:
    """Raise `UserError` for paths that do not exist or are of the wrong kind, before anything else is done."""
    if not data.exists():
        raise DataError(f"{data}: no such file or folder")
    run = RunFiles(data)
    if run.exists():
        trained = run.read_config().data.path
        raise DataError(f"{data} is a run folder; --data takes pictures, such as those it was trained on: {trained}")
    path = Path(subject)
    if path.is_dir() and next(path.glob("*.safetensors"), None) is not None:
        raise ConfigError(f"{path} is a folder of models: pass one of them, or the run folder, {path.parent}")
    if not path.exists():
        find(subject)


def list_snapshots(run: Path, hint: Say = lambda line: None) -> list[ModelFile]:
    """Models of a run, in the order of the images that they have seen; one with several names is listed once.

    Those that cannot be read are reported and left out. Raises `ModelError` if none is left.
    """
    models: dict[int, ModelFile] = {}
    for path in RunFiles(run).all_models():
        try:
            model = open_model(path)
        except ModelError as error:
            hint(f"skipped: {error}")
            continue
        models.setdefault(int(model.training.get("nimg", 0)), model)
    if not models:
        raise ModelError(
            f"the run {run} has no snapshot yet"
            if not RunFiles(run).all_models()
            else f"no snapshot of the run {run} can be read"
        )
    return [models[nimg] for nimg in sorted(models)]


def _find_models(subject: str, hint: Say) -> list[ModelFile] | None:
    """The models that `subject` stands for; None if it is a set of pictures."""
    path = Path(subject)
    if is_run(path):
        return list_snapshots(path, hint)
    if is_shipped(subject) or (path / "models").is_dir() or path.suffix == ".safetensors" or not path.exists():
        return [open_model(find(subject))]
    if path.suffix.lower() in OF_OTHERS and path.is_file():
        raise ConfigError(f"{path}: a model must be a .safetensors file; convert other programs' with growgan import")
    return None


def _sizes(models: list[ModelFile] | None, data: Path) -> dict[str, Any]:
    """The size to which pictures are brought: that of the largest model, or the one used in its run."""
    if models is None:
        return {}
    run = RunFiles.holding(models[-1].path)
    if run is None:
        return {"at_most": max(model.spec.resolution for model in models)}
    config = run.read_config()
    if data.resolve() == Path(config.data.path) and config.built_resolution:
        return {"resolution": config.built_resolution}
    built = config.data.build_resolution or config.network.resolution
    return {"at_most": max(built, *(model.spec.resolution for model in models))}


def _of_model(model: ModelFile, seed: int, batch: int, device: torch.device, hint: Say) -> Subject:
    def open_it() -> tuple[Source, About]:
        loaded, path = load(model.path, device), model.path
        file = loaded.file  # what is measured: a run in progress may have replaced `model` by another one
        nimg = file.training.get("nimg")
        about = About(str(path), file.hash, was_mirrored(file, hint), path.name, None if nimg is None else int(nimg))
        return Fakes(loaded, seed, batch), about

    return Subject(model.path.name, int(model.training.get("resolution", model.spec.resolution)), open_it)


def was_mirrored(model: ModelFile, hint: Say) -> bool:
    """Whether a model was trained on mirrored pictures: according to its file or, if that is older, its run."""
    if "mirror" in model.training:
        return bool(model.training["mirror"])
    run = RunFiles.holding(model.path)
    if run is not None:
        return run.read_config().data.mirror
    hint(f"{model.path.name} does not say if it was trained on mirrored pictures: measured against unmirrored ones")
    return False


def _check_sizes(subjects: list[Subject], data: Path, dataset: ImageSet) -> None:
    largest = max(subjects, key=lambda subject: subject.resolution)
    check_reaches(data, dataset, largest.resolution, f"of {largest.name}")
