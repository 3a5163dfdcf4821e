"""Everything that defines a run, as one tree of frozen dataclasses.

`RunConfig` is written to config.json in the run folder, and `NetworkSpec` into every model file. Impossible values are
refused here, with a sentence, so that nothing further in needs to check again. What is trained lies in `network_spec`,
how in `training_config`; all are to be had from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from growgan.core import geometry
from growgan.core.augmentation import AugmentConfig
from growgan.core.errors import require
from growgan.core.network_spec import NetworkSpec, Variant
from growgan.core.training_config import SIGNED, LossConfig, OptimConfig, ScheduleConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "ExecutionConfig",
    "HealthConfig",
    "LossConfig",
    "NetworkSpec",
    "OptimConfig",
    "Precision",
    "RunConfig",
    "ScheduleConfig",
    "SnapshotConfig",
    "StartConfig",
    "Variant",
]

Precision = Literal["auto", "float32", "bfloat16", "float64"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StartConfig:
    """The trained pair of networks that a run goes on from, if it does not start from nothing."""

    model: str = ""
    """The model: a path, an address on the hub or a shipped name; empty = fresh networks."""
    content_hash: str = ""
    """SHA-256 of its file."""
    license: str = ""
    """What its card says of the licence of its weights, which may bind what is made of them."""
    resolution: int | None = None
    """Side of the highest stage that was taken over."""
    freeze_d: int = 0
    """How many of the stages that D has taken over stand still, from the images on (Mo et al. 2020, FreezeD)."""

    def __post_init__(self) -> None:
        require(
            self.resolution is None or geometry.is_size(self.resolution),
            f"start.resolution must be a power of two, at least 4, not {self.resolution}",
        )
        require(self.freeze_d >= 0, f"--freeze-d (start.freeze_d) cannot be {self.freeze_d}")
        require(
            not self.freeze_d or self.resolution is not None,
            "--freeze-d (start.freeze_d) needs --from: fresh networks have nothing to freeze",
        )
        most = len(self._stages) - 1
        require(
            self.freeze_d <= max(most, 0),
            f"--freeze-d (start.freeze_d) cannot be {self.freeze_d}: D has {most} transferred stages above 4x4, "
            "and 4x4 must stay trainable",
        )

    @property
    def frozen(self) -> tuple[int, ...]:
        """Sides of D's stages that stand still, highest first."""
        return self._stages[::-1][: self.freeze_d]

    @property
    def _stages(self) -> tuple[int, ...]:
        return () if self.resolution is None else geometry.stages(self.resolution)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What is trained on."""

    path: str = ""
    """The set, or the folder of pictures it was built from."""
    content_hash: str = ""
    """Hash of names, sizes, labels and checksums of the set, by which a changed set is noticed."""
    mirror: bool = True
    """Flip each picture left-right with probability 1/2."""
    labels: bool = True
    """Use the set's labels, where it has any."""
    build_resolution: int | None = None
    """Resolution that a plain folder of pictures is brought to; None = the largest that the pictures allow."""

    def __post_init__(self) -> None:
        require(
            self.build_resolution is None or geometry.is_size(self.build_resolution),
            f"data.build_resolution must be a power of two, at least 4, not {self.build_resolution}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotConfig:
    """What a run writes, and how often."""

    image_ticks: int = 1
    """Ticks between two grids of fakes."""
    model_ticks: int = 10
    """Ticks between two model snapshots."""
    keep: int = 5
    """How many of the newest snapshots stay; milestones and the best stay too."""
    measure: Literal["none", "swd", "kid"] = "swd"
    """By what the best snapshot is chosen: among those of the newest resolution, faded in."""
    measure_images: int = 2048
    """Images that the measure compares."""
    state_minutes: float = 10.0
    """Longest time between two saves of the training state."""
    keep_states: int = 2
    """How many training states stay."""

    def __post_init__(self) -> None:
        require(
            min(self.image_ticks, self.model_ticks) >= 1, "snapshots.image_ticks and model_ticks must be at least 1"
        )
        require(self.keep >= 1 and self.keep_states >= 1, "snapshots.keep and keep_states must be at least 1")
        require(self.measure_images >= 2, "snapshots.measure_images must be at least 2")
        require(self.state_minutes > 0, "snapshots.state_minutes must be above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthConfig:
    """What counts as a run gone wrong, and what is done then. A limit of 0 is not looked at."""

    policy: Literal["stop", "back"] = "stop"
    """stop: end with the last good state kept. back: go back to it and on with lower rates."""
    back_rate: float = 0.5
    """Factor on both learning rates each time that the run goes back."""
    most_backs: int = 3
    """How often the run goes back before it stops after all."""
    penalty_limit: float = 1e4
    """Mean of the gradient penalty over a tick, weight included, above which it has exploded."""
    score_limit: float = 1e4
    """Mean score above which D has run away (wgan_gp: times loss.gp_target, where that is above 1)."""
    diversity_limit: float = 0.5
    """Grey levels of 255 that pictures of different latents must differ by: below, G has collapsed."""

    def __post_init__(self) -> None:
        require(0 < self.back_rate <= 1, f"health.back_rate must be above 0 and at most 1, not {self.back_rate:g}")
        require(self.most_backs >= 0, "health.most_backs cannot be negative")
        limits = (self.penalty_limit, self.score_limit, self.diversity_limit)
        require(min(limits) >= 0, "health limits cannot be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionConfig:
    """How the work is done: no field here changes what is computed, beyond rounding."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Precision = "auto"
    """Type of the arithmetic. bfloat16: the convolutions but G's toRGB, dense layers but D's last, and what flows
    between them; weights, Adam, averages, sums of norms, G's images, scores and losses stay float32. auto: bfloat16
    where the processor has units for it, else float32."""
    microbatch: int | None = None
    """Images computed at once; None = the whole minibatch. Less memory, the same gradients."""
    plan: Literal["measured", "plain"] = "measured"
    """How the ways to compute a convolution are chosen on a processor: by a short measurement, kept with the run and
    for the next one, or always the library's own."""
    graphs: Literal["auto", "never"] = "auto"
    """Whether a CUDA GPU repeats a step's passes from recordings (CUDA graphs). never: they are launched piece by
    piece, for a card or a driver that makes trouble."""
    resident: Literal["auto", "never", "always"] = "auto"
    """Whether the present stage's pictures are kept in the device's memory, as bytes. auto: on a CUDA GPU, where they
    fit beside the steps. always: on any device, or an error where they do not fit. Else batches are read one by one."""
    threads: int | None = None
    """Processor threads; None = as many as are fastest when the run starts."""

    def __post_init__(self) -> None:
        kinds = get_args(Precision)
        require(self.precision in kinds, f"execution.precision must be {', '.join(kinds)}, not {self.precision!r}")
        require(self.microbatch is None or self.microbatch >= 1, "execution.microbatch must be at least 1")
        require(self.threads is None or 1 <= self.threads <= 4096, "execution.threads must be between 1 and 4096")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A whole run: what config.json holds."""

    preset: str = ""
    """The preset, with modifiers, that the other values started from."""
    seed: int = 1000
    """Seed of every random draw of the run."""
    start: StartConfig = field(default_factory=StartConfig)
    network: NetworkSpec = field(default_factory=NetworkSpec)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    data: DataConfig = field(default_factory=DataConfig)
    snapshots: SnapshotConfig = field(default_factory=SnapshotConfig)
    health: HealthConfig = field(default_factory=HealthConfig)
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)

    def __post_init__(self) -> None:
        require(0 <= self.seed < 2**63, f"seed must be a whole number from 0 to {2**63 - 1}, not {self.seed}")

    @property
    def built_resolution(self) -> int | None:
        """What a plain folder was brought to for this run, exactly; None: to at most `data.build_resolution`.

        A run that goes on from a model takes that one's size, or less, but where it was built for the size of the run.
        """
        exact = not self.start.model or self.data.build_resolution == self.network.resolution
        return self.network.resolution if exact else None

    def check_whole(self) -> None:
        """Raise `ConfigError` for sections that do not go together: looked at once all are settled, not one by one."""
        require(
            not self.augment.adaptive or self.loss.name in SIGNED,
            f"augment.strength=adaptive needs signed scores from D, which loss.name={self.loss.name} does not give: "
            f"use augment.strength=fixed, or loss.name={' or '.join(SIGNED)}",
        )
        optim = self.optim
        require(
            optim.ema_kimg is not None or (optim.ema_kimg_end is None and not optim.ema_rampup),
            "optim.ema_kimg_end and optim.ema_rampup change the average's half-life: set optim.ema_kimg too",
        )
        require(
            not self.augment.adaptive or self.augment.start <= self.augment.p_max,
            f"augment.p = {self.augment.start:g} is above its upper limit, augment.p_max = {self.augment.p_max:g}",
        )
