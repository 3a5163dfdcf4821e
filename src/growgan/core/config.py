"""Everything that defines a run, as one tree of frozen dataclasses.

`RunConfig` is written to config.json in the run folder, and `NetworkSpec` into every model file. Impossible values are
rejected here, with a message, so that no other code needs to check again. What is trained is defined in `network_spec`,
how in `training_config`; both can be imported from here.
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
    """The trained pair of networks that a run starts from, if it does not start from scratch."""

    model: str = ""
    """The model: a path, a hub address or the name of a bundled model; empty = fresh networks."""
    content_hash: str = ""
    """SHA-256 of its file."""
    license: str = ""
    """The licence of its weights according to its card, which may extend to what is trained from them."""
    resolution: int | None = None
    """Side of the highest stage taken from the model."""
    freeze_d: int = 0
    """How many of the stages D took from the model are frozen, highest first (Mo et al. 2020, FreezeD)."""

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
        """Sides of D's frozen stages, highest first."""
        return self._stages[::-1][: self.freeze_d]

    @property
    def _stages(self) -> tuple[int, ...]:
        return () if self.resolution is None else geometry.stages(self.resolution)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """The training data."""

    path: str = ""
    """The dataset, or the folder of pictures it was built from."""
    content_hash: str = ""
    """Hash of the dataset's names, sizes, labels and checksums, which reveals a changed dataset."""
    mirror: bool = True
    """Flip each picture left-right with probability 1/2."""
    labels: bool = True
    """Use the dataset's labels, if it has any."""
    build_resolution: int | None = None
    """Highest resolution at which a plain folder of pictures is built; None = the largest the pictures allow."""

    def __post_init__(self) -> None:
        require(
            self.build_resolution is None or geometry.is_size(self.build_resolution),
            f"data.build_resolution must be a power of two, at least 4, not {self.build_resolution}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotConfig:
    """What a run saves, and how often."""

    image_ticks: int = 1
    """Ticks between two grids of fakes."""
    model_ticks: int = 10
    """Ticks between two model snapshots."""
    keep: int = 5
    """How many of the newest snapshots are kept, besides the last of each stage and the best."""
    measure: Literal["none", "swd", "kid"] = "swd"
    """Measure that chooses the best snapshot, among the faded-in ones of the newest resolution."""
    measure_images: int = 2048
    """Images for this measure."""
    state_minutes: float = 10.0
    """Longest time between two saves of the training state, in minutes."""
    keep_states: int = 2
    """How many training states are kept."""

    def __post_init__(self) -> None:
        require(
            min(self.image_ticks, self.model_ticks) >= 1, "snapshots.image_ticks and model_ticks must be at least 1"
        )
        require(self.keep >= 1 and self.keep_states >= 1, "snapshots.keep and keep_states must be at least 1")
        require(self.measure_images >= 2, "snapshots.measure_images must be at least 2")
        require(self.state_minutes > 0, "snapshots.state_minutes must be above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthConfig:
    """When a run counts as failed, and what happens then. A limit of 0 disables its check."""

    policy: Literal["stop", "rollback"] = "stop"
    """stop: end, keeping the last good state. rollback: return to it and continue at lower learning rates."""
    rollback_rate: float = 0.5
    """Factor on both learning rates at each rollback."""
    max_rollbacks: int = 3
    """Rollbacks before the run stops."""
    penalty_limit: float = 1e4
    """Mean weighted gradient penalty over a tick above which it counts as exploded."""
    score_limit: float = 1e4
    """Mean score above which D has diverged (wgan_gp: times loss.gp_target, if that is above 1)."""
    diversity_limit: float = 0.5
    """Grey levels (of 255) by which images of different latents must differ: below that, G has collapsed."""

    def __post_init__(self) -> None:
        require(
            0 < self.rollback_rate <= 1,
            f"health.rollback_rate must be above 0 and at most 1, not {self.rollback_rate:g}",
        )
        require(self.max_rollbacks >= 0, "health.max_rollbacks cannot be negative")
        limits = (self.penalty_limit, self.score_limit, self.diversity_limit)
        require(min(limits) >= 0, "health limits cannot be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionConfig:
    """How the work is done; no field here changes results beyond rounding."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Precision = "auto"
    """Type of the arithmetic. bfloat16: convolutions except G's toRGB, dense layers except D's last, and the
    activations between them; weights, Adam, averages, norms, G's images, scores and losses stay float32. auto: bfloat16
    where the hardware supports it, float32 otherwise."""
    microbatch: int | None = None
    """Images per pass; None = the whole minibatch. Saves memory at the same gradients."""
    plan: Literal["measured", "plain"] = "measured"
    """How convolution algorithms are chosen on a CPU: by a short benchmark, kept with the run and cached for the next
    one, or plain: always PyTorch's own."""
    graphs: Literal["auto", "never"] = "auto"
    """Whether a CUDA GPU replays a step's passes from CUDA graphs. never: kernels are launched one by one, for a GPU or
    driver that has trouble with graphs."""
    resident: Literal["auto", "never", "always"] = "auto"
    """Whether the current stage's pictures are kept in device memory, as bytes. auto: on a CUDA GPU, if they fit next
    to the training step. always: on any device, with an error if they do not fit. never: batches are read as needed."""
    threads: int | None = None
    """CPU threads; None = the number that is fastest when the run starts."""

    def __post_init__(self) -> None:
        kinds = get_args(Precision)
        require(self.precision in kinds, f"execution.precision must be {', '.join(kinds)}, not {self.precision!r}")
        require(self.microbatch is None or self.microbatch >= 1, "execution.microbatch must be at least 1")
        require(self.threads is None or 1 <= self.threads <= 4096, "execution.threads must be between 1 and 4096")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A whole run, as stored in config.json."""

    preset: str = ""
    """The preset, with modifiers, that the other values come from."""
    seed: int = 1000
    """Seed of all random numbers of the run."""
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
        """The exact resolution at which a plain folder was built for this run; None = at most `data.build_resolution`.

        A run that starts from a model takes the model's size or less, unless the data was built for the run's own size.
        """
        exact = not self.start.model or self.data.build_resolution == self.network.resolution
        return self.network.resolution if exact else None

    def check_whole(self) -> None:
        """Raise `ConfigError` if sections contradict each other; checked once all are settled, not one by one."""
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
