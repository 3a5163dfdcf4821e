"""Measuring a model, every snapshot of a run, or a set against a set of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from growgan.core.errors import ConfigError, ModelError, OutOfMemory, RunError, within_memory
from growgan.core.progress import MakeProgress, Silent
from growgan.devices import choose_layout
from growgan.evaluation.evaluator import Evaluator
from growgan.evaluation.measures import KINDS, MeasureContext
from growgan.evaluation.requests import Request
from growgan.evaluation.results import Result, Terms
from growgan.evaluation.sources import block
from growgan.evaluation.subjects import Say, check_paths, opened
from growgan.metrics.features import FeatureStore
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.weights import find_inception

LESS = "use fewer pictures or a smaller --batch"


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


def evaluate(
    subject: str | Path,
    data: str | Path,
    requests: Sequence[Request],
    settings: Settings,
    progress: MakeProgress = Silent,
    say: Say = lambda line: None,
    check: Callable[[Terms], None] = lambda terms: None,
) -> Iterator[Result]:
    """Yield each number as soon as it is known.

    What cannot be measured is reported and left out. check: receives the terms of every number before a subject is
    measured, and may raise. Raises `ConfigError` if nothing can be measured.
    """
    subject, data = str(subject), Path(data)
    check_paths(subject, data)
    notes = _Notes(say)
    context, requests = _set_up(requests, settings, progress, notes)
    with opened(subject, data, settings.seed, settings.batch, settings.device, progress, say, notes.hint) as found:
        dataset, subjects = found
        evaluator = Evaluator(dataset, context, settings.seed, notes.hint)
        for item in subjects:
            try:
                source, about = item.open()
            except (ModelError, OSError) as error:
                notes.lack(f"{item.name}: {error}")
                continue
            plans = list(evaluator.plan(requests, source, about, notes.lack))
            for plan in plans:
                for terms in plan.terms:
                    check(terms)
            for plan in plans:
                try:
                    for result in within_memory(partial(evaluator.measure, plan, source, about), LESS):
                        notes.release()
                        yield result
                except (ConfigError, ModelError, OutOfMemory, RunError) as error:
                    notes.lack(f"{source.name}: {plan.title}: {error}")
    notes.check()


class _Notes:
    """Messages to the user besides the numbers, once each; without any number, only the reasons for that."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._told: dict[str, bool] = {}
        self._released = False

    def hint(self, line: str) -> None:
        """Note something worth knowing."""
        self._tell(line, lacking=False)

    def lack(self, line: str) -> None:
        """Note why something is not measured."""
        self._tell(line, lacking=True)

    def _tell(self, line: str, lacking: bool) -> None:
        if self._released and line not in self._told:
            self._say(line)
        self._told[line] = lacking

    def release(self) -> None:
        """Pass on the messages held back, now that there is a number."""
        if not self._released:
            self._released = True
            for line in self._told:
                self._say(line)

    def check(self) -> None:
        """Raise `ConfigError` if there is no number."""
        if not self._released:
            reasons = [line for line, lacking in self._told.items() if lacking]
            more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
            raise ConfigError("; ".join(reasons[:3]) + more)


def _set_up(
    requests: Sequence[Request], settings: Settings, progress: MakeProgress, notes: _Notes
) -> tuple[MeasureContext, list[Request]]:
    """Load the networks that are needed, and drop the requests whose network is missing."""
    for path in (settings.inception, settings.vgg):
        if path is not None and not path.is_file():
            raise ModelError(f"no such file: {path}")
    context = MeasureContext(block(settings.seed), settings.device, progress=progress)
    possible = []
    for request in requests:
        network = KINDS[request.metric].network
        try:
            match network:
                case "inception":
                    context.inception = context.inception or open_inception(settings, progress, notes.hint)
                case "vgg":
                    context.vgg = context.vgg or open_vgg(settings, progress)
            if request.metric == "is" and context.inception is not None:
                context.inception.network.check_classes()
            possible.append(request)
        except ConfigError as error:
            notes.lack(f"{request.metric}: {error}")
        except ModelError as error:
            if network == "inception" and settings.inception is not None:
                raise
            more = ", or pass a file with --inception" if network == "inception" else ""
            notes.lack(f"{request.metric}: {error}{more}")
    if not possible:
        notes.check()
    return context, possible


def open_inception(settings: Settings, progress: MakeProgress, hint: Say) -> FeatureStore:
    """Return what computes Inception's features. Raises `ModelError` if its weights are not available."""
    path = find_inception(settings.inception, progress, hint)
    return _store(path, settings.protocol, settings, progress)


def open_vgg(settings: Settings, progress: MakeProgress) -> FeatureStore:
    """Return what computes VGG-16's features. Raises `ConfigError` if no file is named."""
    if settings.vgg is None:
        raise ConfigError(
            "precision and recall as published need VGG-16 features: pass a TorchScript file with --vgg; "
            "pr_inception is the same measure on Inception features"
        )
    return _store(settings.vgg, None, settings, progress)


def _store(path: Path, protocol: str | None, settings: Settings, progress: MakeProgress) -> FeatureStore:
    network = FeatureNetwork(path, protocol, settings.device, choose_layout(settings.device))
    return FeatureStore(network, settings.batch, progress)
