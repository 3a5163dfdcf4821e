"""The layout of a run folder, and what its files say: the only place where their names are spelt out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Self

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError, RunError
from growgan.core.fields import from_json

RENAMED = {"back_rate": "rollback_rate", "most_backs": "max_rollbacks"}
"""Renamed fields of the section health: old name -> current name."""


class RunFiles:
    """Paths in a run folder: config.json, data.json, plan.json, log.jsonl, measures.jsonl, reals.png, fakes*.png,
    models/, state/, tensorboard/.

    Numbered files carry the images shown (`nimg`) in their names, with leading zeros, so that they sort by time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.data = path / "data.json"
        self.plan = path / "plan.json"
        self.log = path / "log.jsonl"
        self.measures = path / "measures.jsonl"  # appended to by `growgan evaluate`
        self.lock = path / "lock"
        self.reals = path / "reals.png"
        self.models = path / "models"
        self.state = path / "state"
        self.tensorboard = path / "tensorboard"
        self.best = self.models / "best.safetensors"

    @classmethod
    def holding(cls, model: Path) -> Self | None:
        """The run whose models folder holds `model`, or would hold it, under whatever name; None if there is none."""
        for folder in (model.absolute().parent, model.parent.resolve()):  # either path may be a link, or contain one
            run = cls(folder.parent)
            if folder.name == run.models.name and run.exists():
                return run
        return None

    def exists(self) -> bool:
        """Whether a run has been started here."""
        return self.config.is_file()

    def read_config(self) -> RunConfig:
        """The run's configuration as started, except for what a resume may change. Raises `RunError`."""
        try:
            return from_json(RunConfig, _renamed(json.loads(self.config.read_text(encoding="utf-8"))))
        except (OSError, ValueError, ConfigError) as error:
            raise RunError(f"{self.config} cannot be read: {error}") from error

    def read_log(self) -> list[dict[str, Any]]:
        """All entries of log.jsonl, oldest first, without an incomplete last line, left by a running or killed process.

        Raises `RunError` for any other line that cannot be read.
        """
        if not self.log.is_file():
            return []
        lines = [line for line in self.log.read_bytes().splitlines() if line.strip()]
        entries = []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                if not isinstance(entry, dict) or not all(_is_number(entry.get(key)) for key in ("nimg", "seconds")):
                    raise ValueError("not an object with nimg and seconds")
                entries.append(entry)
            except ValueError as error:
                if number < len(lines):
                    raise RunError(f"{self.log}, line {number}: {error}") from error
        return entries

    def fakes(self, nimg: int) -> Path:
        """The grid of fakes at `nimg`."""
        return self.path / f"fakes{nimg:09d}.png"

    def snapshot(self, nimg: int) -> Path:
        """The model at `nimg`."""
        return self.models / f"snapshot-{nimg:012d}.safetensors"

    def failure(self, nimg: int) -> Path:
        """The networks as they were when something went wrong at `nimg`."""
        return self.models / f"failure-{nimg:012d}.safetensors"

    def stage(self, resolution: int) -> Path:
        """The model at the end of the stage of `resolution`, a milestone."""
        return self.models / f"stage-{resolution:04d}x{resolution:04d}.safetensors"

    def state_at(self, nimg: int) -> Path:
        """The training state at `nimg`."""
        return self.state / f"state-{nimg:012d}.safetensors"

    def grids(self) -> list[Path]:
        """Grids of fakes, oldest first."""
        return sorted(self.path.glob("fakes[0-9]*.png"))

    def snapshots(self) -> list[Path]:
        """Regular snapshots, oldest first."""
        return sorted(self.models.glob("snapshot-*.safetensors"))

    def milestones(self) -> list[Path]:
        """Models at the ends of stages, smallest first."""
        return sorted(self.models.glob("stage-*.safetensors"))

    def states(self) -> list[Path]:
        """Training states, newest first."""
        return sorted(self.state.glob("state-*.safetensors"), reverse=True)

    def all_models(self) -> list[Path]:
        """Every model that `generate` and `evaluate` can use: snapshots, milestones, the best."""
        return [*self.snapshots(), *self.milestones(), *([self.best] if self.best.is_file() else [])]


def images_shown(path: Path) -> int:
    """The number of images shown, from a numbered file's name."""
    return int("".join(character for character in path.name if character.isdecimal()) or 0)


def is_run(path: Path) -> bool:
    """Whether `path` is a run folder: one with a run's configuration and a place for its networks."""
    files = RunFiles(path)
    return files.exists() and files.models.is_dir()


def _renamed(values: Any) -> Any:
    """The configuration with current names: some fields were renamed after older runs had started."""
    health = values.get("health") if isinstance(values, dict) else None
    if not isinstance(health, dict):
        return values
    health = {RENAMED.get(name, name): value for name, value in health.items()}
    health |= {"policy": "rollback"} if health.get("policy") == "back" else {}
    return values | {"health": health}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and -math.inf < value < math.inf
