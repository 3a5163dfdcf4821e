"""Everything that defines a run, as one tree of frozen dataclasses.

`RunConfig` is written to config.json in the run folder, and `NetworkSpec` into every model file. Impossible values are
refused here, with a sentence, so that nothing further in needs to check again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from growgan.core import geometry
from growgan.core.augmentation import AugmentConfig
from growgan.core.errors import check as _check
from growgan.core.fields import PerResolution, per

LONGEST_KIMG = 10_000_000
"""Thousands of images: ten billion, a hundred times what any GAN was trained on."""
LARGEST_MINIBATCH = 65_536
SIGNED = ("logistic", "relativistic")
"""Losses under which D's scores, or what a real has more than a fake, are above 0 where D is right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """Where a network that was made elsewhere departs from the paper's (docs/importing.md); all off in our own."""

    widths: PerResolution | None = None
    """Feature maps of each stage, where no rule gives them; None = the spec's rule."""
    hidden: int | None = None
    """Outputs of D's first dense layer; None = the spec's rule for a stage of side 2."""
    slope: float = 0.2
    """Of the leaky ReLU below zero."""
    norm_eps: float = 1e-8
    """What keeps the pixel norm from dividing by zero."""
    norm_eps_outside: bool = False
    """Add `norm_eps` to the root, not under it."""
    first_norm: bool = True
    """Pixel norm after G's first layer too."""
    first_bias: Literal["map", "pixel"] = "map"
    """One bias for each feature map of G's first layer, or one for each of its 4x4 pixels."""
    labels_normed: bool = True
    """The norm of the latents spans the labels; False: of the latents alone, the labels beside them as they are."""
    tanh: bool = False
    """The images are the hyperbolic tangent of what toRGB gives."""
    stddev_groups: Literal["strided", "contiguous"] = "strided"
    """Minibatch stddev compares every M-th image, or consecutive ones: all of them where there would be a rest."""
    stddev_unbiased: bool = False
    """Minibatch stddev divides by one less than the images of a group; a group of one has none."""
    d_last_conv: bool = True
    """D has its convolution of 4x4 pixels."""
    d_fade_from: int = 8
    """Side of the lowest stage in which D fades; below, its newest layers count whole."""

    def __post_init__(self) -> None:
        widths = self.widths.values() if self.widths else ()
        _check(
            all(1 <= w <= 2**40 and w == int(w) for w in (*widths, self.hidden or 1)),
            "network.variant.widths and hidden must be whole numbers of 1 or more",
        )
        _check(0 <= self.slope <= 1, f"network.variant.slope must lie between 0 and 1, not {self.slope}")
        _check(0 <= self.norm_eps <= 1, f"network.variant.norm_eps must lie between 0 and 1, not {self.norm_eps}")
        _check(geometry.is_size(self.d_fade_from), "network.variant.d_fade_from must be a power of two, 4 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """What G and D are: they mirror each other and are built from this alone (paper, table 2)."""

    resolution: int = 128
    """Side of the finished images in pixels: a power of two, 4 or more."""
    channels: int = 3
    """Channels of an image: 1 grey, 3 RGB, 4 RGBA; any number works."""
    num_labels: int = 0
    """Classes or attributes K of a conditional model (AC-GAN); 0 = without."""
    multi_label: bool = False
    """False: every image has one of K classes. True: every image has K attributes in [0, 1], each for itself."""
    latent_size: int | None = None
    """Length L of z; None = as wide as the widest layer could be, min(fmap_base, fmap_max)."""
    fmap_base: int = 8192
    """Feature maps of the stage of side s, before the cap: fmap_base / (s / 2) ** fmap_decay."""
    fmap_decay: float = 1.0
    """How fast the number of feature maps falls from stage to stage."""
    fmap_max: int = 512
    """Cap on the number of feature maps."""
    normalize_latents: bool = True
    """Put z (with its labels) on a hypersphere before the first layer."""
    pixelnorm: bool = True
    """Pixelwise feature normalisation in G (paper, section 4.2)."""
    wscale: bool = True
    """Equalised learning rate: weights N(0, 1), scaled at run time (paper, section 4.1)."""
    leaky_relu: bool = True
    """Leaky ReLU 0.2 in G; False = ReLU. D is always leaky."""
    stddev_group: int | None = 4
    """Images that minibatch stddev compares (paper, section 3); None = the whole minibatch, 0 or 1 = off."""
    d_down: Literal["act_pool", "pool_act"] = "act_pool"
    """How D halves its images: activate, then pool (the paper) or one strided convolution, then activate."""
    variant: Variant = Variant()
    """How the networks depart from the paper's: only imported ones do."""

    def __post_init__(self) -> None:
        _check(
            geometry.is_size(self.resolution),
            f"a resolution must be a power of two, 4 or more, not {self.resolution}",
        )
        _check(self.channels >= 1, f"images need at least one channel, not {self.channels}")
        _check(self.num_labels >= 0, f"network.num_labels cannot be {self.num_labels}")
        _check(1 <= self.fmap_base <= 2**40, "network.fmap_base must be at least 1, and less than a trillion")
        _check(1 <= self.fmap_max <= 2**40, "network.fmap_max must be at least 1, and less than a trillion")
        _check(0 <= self.fmap_decay <= 8, f"network.fmap_decay must lie between 0 and 8, not {self.fmap_decay}")
        _check(
            self.latent_size is None or 1 <= self.latent_size <= 2**20,
            "network.latent_size must be at least 1, and at most a million",
        )
        _check(self.stddev_group is None or self.stddev_group >= 0, "network.stddev_group cannot be negative")

    def width(self, resolution: int) -> int:
        """Feature maps of the stage whose images have `resolution` pixels a side; of 2: D's first dense layer."""
        if resolution >= geometry.LOWEST and self.variant.widths is not None:
            return int(self.variant.widths(resolution))
        if resolution < geometry.LOWEST and self.variant.hidden is not None:
            return self.variant.hidden
        return self._maps(geometry.log2(resolution) - 1)

    @property
    def z_size(self) -> int:
        """Length of a latent vector."""
        return self._maps(0) if self.latent_size is None else self.latent_size

    @property
    def stages(self) -> tuple[int, ...]:
        """Sides of all stages, lowest first."""
        return geometry.stages(self.resolution)

    @property
    def has_stddev(self) -> bool:
        """Whether D has its minibatch standard deviation layer."""
        return self.stddev_group is None or self.stddev_group > 1

    def _maps(self, halvings: int) -> int:
        return max(1, min(int(self.fmap_base / 2.0 ** (halvings * self.fmap_decay)), self.fmap_max))


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """What G and D are trained to do."""

    name: Literal["wgan_gp", "lsgan", "logistic", "relativistic"] = "wgan_gp"
    """wgan_gp: the paper's. lsgan: its appendix B. logistic: non-saturating, with R1. relativistic: real against fake,
    with R1 and R2."""
    gp_weight: float = 10.0
    """lambda of the gradient penalty (wgan_gp)."""
    gp_target: float = 1.0
    """gamma, the norm that the gradient should have (wgan_gp): 1, and 750 for CIFAR-10."""
    drift: float = 0.001
    """Weight that keeps D(real) from drifting away from zero (wgan_gp)."""
    r1_gamma: PerResolution = per(10.0)
    """Weight of the R1 penalty on reals by resolution (logistic, relativistic); 0 = none."""
    r2_gamma: PerResolution | None = None
    """Weight of the R2 penalty on fakes; None = that of R1 with relativistic, without which it diverges, else none."""
    r1_interval: int = 1
    """Updates of D for each that has R1 and R2, which then weigh as many times more: lazy penalties."""
    gamma_end: float = 1.0
    """Factor that R1's and R2's weights end at (schedule.anneal)."""
    lsgan_noise: float = 0.2
    """Strength of the multiplicative noise in D (lsgan)."""
    label_weight: float = 1.0
    """Weight of the label terms of a conditional model."""

    def __post_init__(self) -> None:
        _check(self.gp_target > 0, f"loss.gp_target must be above 0, not {self.gp_target}")
        weights = (self.gp_weight, self.drift, self.lsgan_noise, self.label_weight, self.gamma_end)
        gammas = self.r1_gamma.values() + (self.r2_gamma.values() if self.r2_gamma else ())
        _check(min(*weights, *gammas) >= 0, "weights of the loss cannot be negative")
        _check(self.r1_interval >= 1, f"loss.r1_interval must be at least 1, not {self.r1_interval}")

    def r2(self, resolution: int) -> float:
        """Weight of the R2 penalty at `resolution`."""
        if self.r2_gamma is not None:
            return self.r2_gamma(resolution)
        return self.r1_gamma(resolution) if self.name == "relativistic" else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """Adam and the moving average of G."""

    g_lr: PerResolution = per(0.001)
    """Learning rate of G by resolution."""
    d_lr: PerResolution = per(0.001)
    """Learning rate of D by resolution."""
    lr_end: float = 1.0
    """Factor that the learning rates end at (schedule.anneal)."""
    beta1: float = 0.0
    """Adam's decay of the mean."""
    beta2: float = 0.99
    """Adam's decay of the variance."""
    beta2_end: float | None = None
    """What beta2 ends at (schedule.anneal); None = where it started."""
    eps: float = 1e-8
    """Adam's epsilon, added to the uncorrected root of the variance as TensorFlow does."""
    rampup_kimg: float = 0.0
    """Thousands of images over which the learning rates rise from near zero; 0 = none."""
    reset: bool = True
    """Forget Adam's moments when a fade starts and when it ends."""
    ema_factor: float = 0.999
    """Factor of the moving average of G at each step (the paper's); used where ema_kimg is None."""
    ema_kimg: float | None = None
    """Half-life of the moving average in thousands of images: the same for every minibatch."""
    ema_kimg_end: float | None = None
    """What the half-life ends at (schedule.anneal); None = where it started."""
    ema_rampup: float = 0.0
    """Most of the half-life as a fraction of the images shown so far, so that the first networks are soon forgotten;
    0 = the whole half-life from the start."""

    def __post_init__(self) -> None:
        rates = (*self.g_lr.values(), *self.d_lr.values(), self.lr_end)
        _check(min(rates) >= 0, "learning rates cannot be negative")
        betas = (self.beta1, self.beta2, self.beta2_end or 0.0)
        _check(0 <= min(betas) <= max(betas) < 1, "optim.beta1, beta2 and beta2_end must lie in [0, 1)")
        _check(self.eps > 0, "optim.eps must be above 0")
        _check(self.rampup_kimg >= 0, "optim.rampup_kimg cannot be negative")
        _check(0 <= self.ema_factor < 1, "optim.ema_factor must lie in [0, 1)")
        _check(0 <= self.ema_rampup <= 1, "optim.ema_rampup must lie in [0, 1]")
        _check(min(self.ema_kimg or 0, self.ema_kimg_end or 0) >= 0, "optim.ema_kimg and its end cannot be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleConfig:
    """How the run grows, in thousands of real images shown (kimg)."""

    growing: bool = True
    """False: train at the full resolution from the start."""
    initial_resolution: int = 4
    """Side of the first stage."""
    training_kimg: PerResolution = per(800)
    """How long a stage is trained once its layers are faded in."""
    transition_kimg: PerResolution = per(800)
    """How long the layers of a stage are faded in; 0 = they are switched on at once."""
    total_kimg: float = 19000
    """Length of the run; what is left after the last stage's time is spent at full resolution."""
    scale: float = 1.0
    """Factor on all these lengths: what ``--hours`` settles. Below 1, ticks, ramp and average shrink with them."""
    minibatch: PerResolution = per(16)
    """Images a minibatch."""
    minibatch_repeats: int = 4
    """Minibatches for which resolution, fade and rates are held."""
    d_repeats: int = 1
    """Updates of D for each of G (n_critic)."""
    anneal: Literal["run", "stage"] = "run"
    """Over what the values that have an end go there, by half a wave of a cosine: the run, or each stage anew."""
    tick_kimg: PerResolution = per(160, {4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 20, 1024: 10})
    """Images between two reports."""

    def __post_init__(self) -> None:
        _check(
            geometry.is_size(self.initial_resolution),
            f"schedule.initial_resolution must be a power of two, 4 or more, not {self.initial_resolution}",
        )
        lengths = self.training_kimg.values() + self.transition_kimg.values()
        _check(min(lengths) >= 0, "schedule.training_kimg and transition_kimg cannot be negative")
        _check(max(lengths) <= LONGEST_KIMG, f"a stage cannot last longer than {LONGEST_KIMG:,} kimg")
        _check(
            0.001 <= self.total_kimg <= LONGEST_KIMG,
            f"schedule.total_kimg must lie between 0.001 and {LONGEST_KIMG:,}, not {self.total_kimg:g}",
        )
        _check(0 < self.scale <= 1e6, f"schedule.scale must be above 0, not {self.scale:g}")
        batches = self.minibatch.values()
        _check(
            all(1 <= b <= LARGEST_MINIBATCH and b == int(b) for b in batches),
            f"schedule.minibatch must be whole numbers from 1 to {LARGEST_MINIBATCH:,}",
        )
        _check(min(self.minibatch_repeats, self.d_repeats) >= 1, "schedule's repeats must be at least 1")
        ticks = self.tick_kimg.values()
        _check(0 < min(ticks) <= max(ticks) <= LONGEST_KIMG, "schedule.tick_kimg must be above 0, and no nonsense")


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
        _check(
            self.build_resolution is None or geometry.is_size(self.build_resolution),
            f"data.build_resolution must be a power of two, 4 or more, not {self.build_resolution}",
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
        _check(min(self.image_ticks, self.model_ticks) >= 1, "snapshots' ticks must be at least 1")
        _check(self.keep >= 1 and self.keep_states >= 1, "snapshots.keep and keep_states must be at least 1")
        _check(self.measure_images >= 2, "snapshots.measure_images must be at least 2")
        _check(self.state_minutes > 0, "snapshots.state_minutes must be above 0")


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
        _check(0 < self.back_rate <= 1, f"health.back_rate must be above 0 and at most 1, not {self.back_rate:g}")
        _check(self.most_backs >= 0, "health.most_backs cannot be negative")
        limits = (self.penalty_limit, self.score_limit, self.diversity_limit)
        _check(min(limits) >= 0, "limits of health cannot be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionConfig:
    """How the work is done: no field here changes what is computed, beyond rounding."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto"
    """Type of the arithmetic. bfloat16: the convolutions but G's toRGB, and what flows between them; weights, Adam,
    averages, sums of norms, G's images, dense layers and losses stay float32. auto: bfloat16 where the processor has
    units for it, else float32."""
    microbatch: int | None = None
    """Images computed at once; None = the whole minibatch. Less memory, the same gradients."""
    plan: Literal["measured", "plain"] = "measured"
    """How the ways to compute a convolution are chosen on a processor: by a short measurement, kept with the run and
    for the next one, or always the library's own."""
    threads: int | None = None
    """Processor threads; None = as many as are fastest when the run starts."""

    def __post_init__(self) -> None:
        _check(self.microbatch is None or self.microbatch >= 1, "execution.microbatch must be at least 1")
        _check(self.threads is None or 1 <= self.threads <= 4096, "execution.threads must lie between 1 and 4096")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A whole run: what config.json holds."""

    preset: str = ""
    """The preset, with modifiers, that the other values started from."""
    seed: int = 1000
    """Seed of every random draw of the run."""
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
        _check(0 <= self.seed < 2**63, f"seed must be a whole number of 0 or more, not {self.seed}")

    def check_whole(self) -> None:
        """Raise `ConfigError` for sections that do not go together: looked at once all are settled, not one by one."""
        _check(
            not self.augment.adaptive or self.loss.name in SIGNED,
            f"augment.strength=adaptive needs scores of D that have a sign, and with loss.name={self.loss.name} they "
            f"have none: augment.strength=fixed, or loss.name={' or '.join(SIGNED)}",
        )
