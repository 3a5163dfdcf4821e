"""Models that a run leaves behind: the newest few, each stage's last, and the best."""

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
"""Measures G_ema at its stage: {"name": ..., "value": ... (smaller is better), ...}, or None where it cannot."""


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
        """The measure of this moment; every process of a run takes part in it."""
        return self.measure(state, phase) if self.measure is not None and not phase.fading else None

    def write(self, state: TrainState, phase: Phase, measured: dict[str, Any] | None) -> None:
        """Write the newest snapshot, drop the oldest, and see whether it is the best."""
        path = self.run.snapshot(state.nimg)
        measures = {measured["name"]: measured} if measured else {}
        save_model(path, _networks(state), training=self._training(state, phase), measures=measures)
        if measured is not None and self._beats_best(state.nimg, phase, measured):
            _copy(path, self.run.best)
        for old in self.run.snapshots()[: -self.config.snapshots.keep]:
            old.unlink(missing_ok=True)

    def write_stage(self, state: TrainState, phase: Phase) -> None:
        """Write the milestone of a stage that is over: its toRGB layer is never trained again."""
        networks, training = _networks(state), self._training(state, phase)
        try:
            save_model(self.run.stage(phase.resolution), networks, training=training)
        except RunError:
            # The run goes on and changes its networks, but the milestone is to be had later all the same.
            self._pending[phase.resolution] = copy.deepcopy(networks), training
            raise

    def write_owed(self) -> None:
        """Write the milestones that could not be written in their time. Raises `RunError` if they still cannot."""
        for resolution, (networks, training) in list(self._pending.items()):
            save_model(self.run.stage(resolution), networks, training=training)
            del self._pending[resolution]

    def forget_owed(self) -> None:
        """Owe nothing: the run has gone back, and comes by those moments again."""
        self._pending.clear()

    def write_trouble(self, state: TrainState, phase: Phase, what: str) -> Path:
        """Write the networks as they are, for a person to look into: `what` has gone wrong."""
        path = self.run.failure(state.nimg)
        save_model(path, _networks(state), training=self._training(state, phase), card={"failure": what})
        return path

    def _training(self, state: TrainState, phase: Phase) -> dict[str, Any]:
        """How far the networks are, for the file."""
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
        """Whether there is no best of this resolution that is better."""
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
            return True  # not to be compared, or of a moment that the run has gone back behind
        # Equal counts, so that a run that is taken up again ends with the same file.
        return bool(measured["value"] <= known["value"])


def _parent(start: StartConfig) -> dict[str, Any]:
    """The model that the networks began as; of a path its last name alone, since the file may be given away."""
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
        except OSError:  # no links here
            shutil.copyfile(source, temporary)
