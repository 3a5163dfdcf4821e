"""Models that a run leaves behind: the newest few, each stage's last, and the best."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growgan import __version__
from growgan.core.config import RunConfig
from growgan.core.errors import ModelError
from growgan.core.files import whole
from growgan.core.schedule import Phase
from growgan.models.native import open_model, save_model
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.training.state import TrainState

Measure = Callable[[TrainState, Phase], dict[str, Any] | None]
"""Measures G_ema at its stage: {"name": ..., "value": ... (smaller is better), ...}, or None where it cannot."""


class Snapshots:
    """Writes models/snapshot-NIMG, models/stage-SIZE and models/best, all .safetensors."""

    def __init__(
        self, folder: Path, config: RunConfig, labels: dict[str, Any], class_names: list[str], measure: Measure | None
    ) -> None:
        self.folder = folder
        self.config = config
        self.labels = labels
        self.class_names = class_names
        self.measure = measure

    def write(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """Write the newest snapshot, drop the oldest, and see whether it is the best. Returns what was measured."""
        measured = self.measure(state, phase) if self.measure is not None and not phase.fading else None
        path = self.folder / f"snapshot-{state.nimg:012d}.safetensors"
        self._write(path, state, phase, measured)
        if measured is not None and self._beats_best(state.nimg, phase, measured):
            _copy(path, self.folder / "best.safetensors")
        for old in sorted(self.folder.glob("snapshot-*.safetensors"))[: -self.config.snapshots.keep]:
            old.unlink(missing_ok=True)
        return measured

    def write_stage(self, state: TrainState, phase: Phase) -> None:
        """Write the milestone of a stage that is over: its toRGB layer is never trained again."""
        name = f"stage-{phase.resolution:04d}x{phase.resolution:04d}.safetensors"
        self._write(self.folder / name, state, phase, None)

    def _write(self, path: Path, state: TrainState, phase: Phase, measured: dict[str, Any] | None) -> None:
        training = {
            "growgan": __version__,
            "preset": self.config.preset,
            "seed": self.config.seed,
            "nimg": state.nimg,
            "seconds": round(state.seconds, 1),
            "resolution": phase.resolution,
            "alpha": phase.alpha,
            "data": self.config.data.content_hash,
            "labels": self.labels,
            "class_names": self.class_names,
        }
        measures = {measured["name"]: measured} if measured else {}
        networks: dict[str, Generator | Discriminator] = {"G_ema": state.G_ema, "G": state.G, "D": state.D}
        save_model(path, networks, training=training, measures=measures)

    def _beats_best(self, nimg: int, phase: Phase, measured: dict[str, Any]) -> bool:
        """Whether there is no best of this resolution that is better."""
        try:
            best = open_model(self.folder / "best.safetensors")
        except ModelError:
            return True
        known = best.measures.get(measured["name"])
        if best.training.get("resolution") != phase.resolution or known is None:
            return True
        if known.get("images") != measured.get("images") or best.training["nimg"] > nimg:
            return True  # not to be compared, or of a moment that the run has gone back behind
        # Equal counts, so that a run that is taken up again ends with the same file.
        return bool(measured["value"] <= known["value"])


def _copy(source: Path, target: Path) -> None:
    with whole(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # no links here
            shutil.copyfile(source, temporary)
