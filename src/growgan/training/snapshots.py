"""Models that a run saves: the newest few, each stage's last, and the best."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growgan import __version__
from growgan.core.config import RunConfig, StartConfig
from growgan.core.errors import ModelError, RunError
from growgan.core.fields import to_json
from growgan.core.files import whole
from growgan.core.runfiles import RunFiles
from growgan.core.schedule import Phase
from growgan.models.native import open_model, save_model
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.training.state import TrainState

Measure = Callable[[TrainState, Phase], dict[str, Any] | None]
"""Measures G_ema at its stage: {"name": ..., "value": ... (smaller is better), ...}, or None if it cannot."""


class Snapshots:
    """Writes the models of `run`: snapshots, milestones, and the best."""

    def __init__(
        self, run: RunFiles, config: RunConfig, labels: dict[str, Any], class_names: list[str], measure: Measure | None
    ) -> None:
        self.run = run
        self.config = config
        self.labels = labels
        self.class_names = class_names
        self.measure = measure
        self._pending: dict[int, tuple[dict[str, Generator | Discriminator], dict[str, Any]]] = {}

    def take_measure(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The current measurement, in which every process takes part; None if there is none."""
        return self.measure(state, phase) if self.measure is not None and not phase.fading else None

    def write(self, state: TrainState, phase: Phase, measured: dict[str, Any] | None) -> None:
        """Write a snapshot, copy it if it is the best, and drop the oldest."""
        path = self.run.snapshot(state.nimg)
        measures = {measured["name"]: measured} if measured else {}
        save_model(path, _networks(state), training=self._training(state, phase), measures=measures)
        if measured is not None and self._beats_best(state.nimg, phase, measured):
            _copy(path, self.run.best)
        for old in self.run.snapshots()[: -self.config.snapshots.keep]:
            old.unlink(missing_ok=True)

    def write_stage(self, state: TrainState, phase: Phase) -> None:
        """Write the milestone of a finished stage, whose toRGB layer is never trained again."""
        networks, training = _networks(state), self._training(state, phase)
        try:
            save_model(self.run.stage(phase.resolution), networks, training=training)
        except RunError:
            # The run continues and changes its networks, so a copy is kept to be written later.
            self._pending[phase.resolution] = copy.deepcopy(networks), training
            raise

    def write_pending(self) -> None:
        """Write the milestones that could not be written when due. Raises `RunError` if they still cannot."""
        for resolution, (networks, training) in list(self._pending.items()):
            save_model(self.run.stage(resolution), networks, training=training)
            del self._pending[resolution]

    def forget_pending(self) -> None:
        """Drop pending milestones: the run has gone back, and will reach those moments again."""
        self._pending.clear()

    def write_failure(self, state: TrainState, phase: Phase, what: str) -> Path:
        """Write the networks as they are, for inspection: `what` has gone wrong."""
        path = self.run.failure(state.nimg)
        save_model(path, _networks(state), training=self._training(state, phase), card={"failure": what})
        return path

    def _training(self, state: TrainState, phase: Phase) -> dict[str, Any]:
        """The state of training, for the model file."""
        return {
            "growgan": __version__,
            "preset": self.config.preset,
            "loss": self.config.loss.name,
            "loss_settings": to_json(self.config.loss),
            "mirror": self.config.data.mirror,
            "seed": self.config.seed,
            "nimg": state.nimg,
            "seconds": round(state.seconds, 1),
            "resolution": phase.resolution,
            "alpha": phase.alpha,
            "data": self.config.data.content_hash,
            "labels": self.labels,
            "class_names": self.class_names,
            **_parent(self.config.start),
        }

    def _beats_best(self, nimg: int, phase: Phase, measured: dict[str, Any]) -> bool:
        """Whether no better snapshot of this resolution is known."""
        try:
            best = open_model(self.run.best)
        except ModelError:
            return True
        known = best.measures.get(measured["name"])
        if best.training.get("resolution") != phase.resolution or known is None:
            return True
        alike = all(
            known.get(term) == measured.get(term) for term in ("images", "protocol", "mirrored", "against_hash")
        )
        if not alike or best.training["nimg"] > nimg:
            return True  # not comparable, or from a moment that the run has undone
        # A tie counts, so that a resumed run ends with the same file.
        return bool(measured["value"] <= known["value"])


def _parent(start: StartConfig) -> dict[str, Any]:
    """The model that the networks started from; of a path only its last part, since the file may be shared."""
    if not start.model:
        return {}
    name = Path(start.model).name if Path(start.model).is_absolute() else start.model
    terms = {"license": start.license} if start.license else {}
    return {"parent": {"model": name, "sha256": start.content_hash, **terms}}


def _networks(state: TrainState) -> dict[str, Generator | Discriminator]:
    return {"G_ema": state.G_ema, "G": state.G, "D": state.D}


def _copy(source: Path, target: Path) -> None:
    with whole(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # no hard links here
            shutil.copyfile(source, temporary)
