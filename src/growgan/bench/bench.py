"""The measurements that a user requested: which ones, in which order, and what each needs from earlier ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from growgan.bench import footprint, generation, limits, loading, stages, startup, steps
from growgan.bench.machine import describe
from growgan.core.config import NetworkSpec, RunConfig
from growgan.core.errors import ConfigError, DataError
from growgan.core.fields import replaced, to_json
from growgan.core.geometry import LOWEST, is_size
from growgan.core.presets import preset
from growgan.core.schedule import Stage
from growgan.devices import asked_device, set_up

PARTS = ("limits", "steps", "generate", "loader", "memory", "startup")
"""All parts, in the order in which they are measured."""

PICTURES = 256
"""Made-up pictures with which the loader is measured."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be measured."""

    parts: Sequence[str] = PARTS
    preset: str | None = None
    """The configuration whose steps are timed; None = a table of standard networks."""
    run: str | None = None
    """A preset whose whole run is added up; only the limits are measured as well."""
    overrides: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Fields of the configuration, with their values as text."""
    sizes: Sequence[tuple[int, int]] | None = None
    """Resolutions and minibatches of the train steps; None = those of the table, or of the preset's stages."""
    data: Path | None = None
    """Pictures for the loader; None = made-up ones."""
    quick: bool = False
    """Less of everything."""
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
    """Receives messages for the user."""


@dataclass(frozen=True)
class Piece:
    """One measurement yet to be taken."""

    part: str
    what: str
    work: Callable[[], Sequence[Any]]
    """Takes it and returns its rows."""


class Bench:
    """The pieces of a request, and the results so far. Raises `UserError`s for what cannot be measured."""

    def __init__(self, request: Request) -> None:
        unknown = [part for part in request.parts if part not in PARTS]
        if unknown:
            raise ConfigError(f"unknown part {unknown[0]!r}; choose from: {', '.join(PARTS)}")
        if request.data is not None and not request.data.exists():
            raise DataError(f"{request.data}: no such file or folder")
        self.request = request
        self.config = configured(request)
        _check_sizes(request, self.config)
        self.machine = set_up(self.config.execution)
        self.found: dict[str, list[Any]] = {}
        self.pieces = self._planned()

    def take(self, piece: Piece) -> Sequence[Any]:
        """Take a measurement, and store its result."""
        try:
            rows = piece.work()
        finally:
            steps.release(self.machine.device)
        self.found.setdefault(piece.part, []).extend(rows)
        return rows

    def to_json(self) -> dict[str, Any]:
        """All results so far, and the machine that they are from."""
        named = self.request.preset or self.request.run
        result = {"machine": describe(self.machine), "config": to_json(self.config) if named else None}
        rows = {part: [asdict(row) for row in found] for part, found in self.found.items()}
        if "stages" in self.found:
            result["hours"] = stages.total_hours(self.found["stages"])
        return result | rows

    def limit(self, precision: str) -> float | None:
        """The measured convolution rate, if there is one."""
        return limits.convolution_limit(self.found.get("limits", []), precision)

    def _planned(self) -> list[Piece]:
        makers = {
            "limits": self._limits,
            "steps": self._steps,
            "generate": self._generation,
            "loader": self._loader,
            "memory": self._memory,
            "startup": self._startup,
            "stages": self._stages,
        }
        parts = ["limits", "stages"] if self.request.run else [part for part in PARTS if part in self.request.parts]
        return [piece for part in parts for piece in makers[part]()]

    def _limits(self) -> list[Piece]:
        seconds = limits.SECONDS / (5 if self.request.quick else 1)
        pieces = []
        for precision in self._precisions():
            for what, work in (("convolutions", limits.convolutions), ("products", limits.products)):
                pieces.append(Piece("limits", f"{what}, {precision}", partial(work, self.machine, precision, seconds)))
        return [*pieces, Piece("limits", "memory bandwidth", partial(limits.copies, self.machine, seconds))]

    def _steps(self) -> list[Piece]:
        return [Piece("steps", f"train step, {case}", partial(self._step, case)) for case in self._cases()]

    def _step(self, case: steps.Case) -> list[steps.StepTime]:
        copies = [rate.rate for rate in self.found.get("limits", []) if rate.what == limits.COPY]
        limit = self.limit(self.machine.precision)
        return [steps.time_step(case, self.machine, self._seconds, limit, copies[0] if copies else None)]

    def _generation(self) -> list[Piece]:
        return [Piece("generate", f"generate, {p}", partial(self._picture, p)) for p in self._precisions()]

    def _picture(self, precision: str) -> list[generation.GenerationTime]:
        limit = self.limit(precision)
        return [generation.time_generation(self._pictured(), 1, precision, self.machine, self._seconds, limit)]

    def _loader(self) -> list[Piece]:
        return [Piece("loader", "data loader", self._load)]

    def _load(self) -> list[loading.LoaderRate]:
        quick, config = self.request.quick, self.config
        highest = 64 if quick else self._pictured().resolution
        with loading.a_set(self.request.data, highest, PICTURES // (4 if quick else 1), self.request.say) as dataset:
            config = replace(config, network=replace(config.network, resolution=dataset.resolution))
            sizes = [(size, int(config.schedule.minibatch(size))) for size in config.network.stages]
            found = loading.rates(dataset, sizes, 0.2 if quick else 1.0)
        taken = stages.consumption(config, self.machine, self.limit(self.machine.precision))
        return [loading.beside(rate, *taken[rate.resolution]) for rate in found]

    def _memory(self) -> list[Piece]:
        pieces = [
            Piece("memory", f"memory of a train step, {case}", partial(footprint.of_step, case, self.machine))
            for case in (self._cases()[-1:] if self.request.quick else self._cases())
        ]
        for precision in self._precisions():
            work = partial(footprint.of_pictures, self._pictured(), 1, precision, self.machine)
            pieces.append(Piece("memory", f"memory of generate, {precision}", work))
        return pieces

    def _startup(self) -> list[Piece]:
        sizes, rounds = ((128,), 1) if self.request.quick else ((128, 1024), 3)
        return [Piece("startup", "command startup", partial(startup.time_starts, sizes, rounds))]

    def _stages(self) -> list[Piece]:
        return [
            Piece("stages", f"stage {stage.resolution}x{stage.resolution}", partial(self._stage, stage))
            for stage in stages.stages_of(self.config)
        ]

    def _stage(self, stage: Stage) -> list[stages.StageTime]:
        limit = self.limit(self.machine.precision)
        return [stages.time_stage(self.config, stage, self.machine, self._seconds, limit)]

    def _cases(self) -> list[steps.Case]:
        if self.request.preset:
            return steps.own_cases(self.config, self.request.sizes)
        cases = steps.default_cases(self.machine, self.config, self.request.sizes)
        if self.request.quick and self.request.sizes is None:
            return [case for case in cases if case.name == steps.SMALL or case.resolution == 8]
        return cases

    def _precisions(self) -> list[str]:
        """Those worth measuring; only the requested one, if any."""
        named = self.config.execution.precision
        if named in ("float32", "bfloat16"):
            return [named]
        found = limits.precisions(self.machine.device)
        return found[-1:] if self.request.quick else found

    def _pictured(self) -> NetworkSpec:
        """The network whose pictures are timed: the configuration's, or the paper's at 1024."""
        if self.request.preset:
            return self.config.network
        return NetworkSpec(resolution=1024)

    @property
    def _seconds(self) -> float:
        return 0.3 if self.request.quick else 2.0


def configured(request: Request) -> RunConfig:
    """The configuration to measure: a preset at its own resolution, then the overrides."""
    if request.preset and request.run:
        raise ConfigError("--run already names a preset and cannot be combined with --preset")
    # The paper's losses, whatever a run uses by default: standard steps stay comparable.
    standard = "v2-1gpu" if asked_device(request.overrides).type == "cuda" else "laptop"
    config = preset(request.preset or request.run or standard)
    config = replace(config, network=replace(config.network, resolution=stages.run_resolution(config)))
    for path, text in request.overrides:
        if path == "preset" or path.startswith("data."):
            raise ConfigError(f"{path} cannot be set: use --preset or --data")
        config = replaced(config, path, text)
    config.check_whole()
    return config


def _check_sizes(request: Request, config: RunConfig) -> None:
    for size, n in request.sizes or ():
        if not is_size(size) or n < 1:
            raise ConfigError(f"--steps takes a power of two from {LOWEST} up and a minibatch, not {size}:{n}")
        if request.preset and size > config.network.resolution:
            raise ConfigError(f"{config.preset} ends at {config.network.resolution} pixels, below {size}")
