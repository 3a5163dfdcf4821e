"""How the networks are trained: the loss, Adam and the moving average, and the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from growgan.core import geometry
from growgan.core.errors import require
from growgan.core.fields import PerResolution, per

LONGEST_KIMG = 10_000_000
"""Thousands of images: ten billion images, a hundred times what any GAN was trained on."""
LARGEST_SCALE = 1_000_000
"""Largest factor on a schedule's lengths, also beyond any practical use."""
LARGEST_MINIBATCH = 65_536
SIGNED = ("logistic", "relativistic")
"""Losses under which D's scores (or score differences) are positive where D is right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """The losses of G and D."""

    name: Literal["wgan_gp", "lsgan", "logistic", "relativistic"] = "wgan_gp"
    """wgan_gp: the paper's. lsgan: its appendix B. logistic: non-saturating, with R1. relativistic: paired reals and
    fakes, with R1 and R2."""
    gp_weight: float = 10.0
    """Lambda, the weight of the gradient penalty (wgan_gp)."""
    gp_target: float = 1.0
    """Gamma, the target norm of the gradient (wgan_gp): 1, and 750 for CIFAR-10."""
    drift: float = 0.001
    """Weight of the drift penalty, which keeps D(real) near zero (wgan_gp)."""
    r1_gamma: PerResolution = per(10.0)
    """Weight of the R1 penalty on reals (logistic, relativistic); 0 = none."""
    r2_gamma: PerResolution | None = None
    """Weight of the R2 penalty on fakes; None = R1's with relativistic, which diverges without it, and 0 otherwise."""
    r1_interval: int = 1
    """Lazy regularisation: R1 and R2 only at every n-th update of D, weighted n times as much."""
    gamma_end: float = 1.0
    """Factor on the weights of R1 and R2 at the end (schedule.anneal)."""
    lsgan_noise: float = 0.2
    """Strength of the multiplicative noise in D (lsgan)."""
    label_weight: float = 1.0
    """Weight of the label terms of a conditional model."""

    def __post_init__(self) -> None:
        require(self.gp_target > 0, f"loss.gp_target must be above 0, not {self.gp_target}")
        weights = (self.gp_weight, self.drift, self.lsgan_noise, self.label_weight, self.gamma_end)
        gammas = self.r1_gamma.values() + (self.r2_gamma.values() if self.r2_gamma else ())
        require(min(*weights, *gammas) >= 0, "loss weights cannot be negative")
        require(self.r1_interval >= 1, f"loss.r1_interval must be at least 1, not {self.r1_interval}")

    def every(self, resolution: int) -> int:
        """Interval of lazy penalties in updates of D; 1 if none are lazy."""
        penalised = self.name in ("logistic", "relativistic") and (self.r1_gamma(resolution) or self.r2(resolution))
        return self.r1_interval if penalised else 1

    def r2(self, resolution: int) -> float:
        """Weight of the R2 penalty at `resolution`."""
        if self.r2_gamma is not None:
            return self.r2_gamma(resolution)
        return self.r1_gamma(resolution) if self.name == "relativistic" else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """Adam and the moving average of G."""

    g_lr: PerResolution = per(0.001)
    """Learning rate of G."""
    d_lr: PerResolution = per(0.001)
    """Learning rate of D."""
    lr_end: float = 1.0
    """Factor on the learning rates at the end (schedule.anneal)."""
    beta1: float = 0.0
    """Adam's decay rate of the first moment."""
    beta2: float = 0.99
    """Adam's decay rate of the second moment."""
    beta2_end: float | None = None
    """beta2 at the end (schedule.anneal); None = constant."""
    eps: float = 1e-8
    """Adam's epsilon, added to the root of the second moment before bias correction, as in TensorFlow."""
    rampup_kimg: float = 0.0
    """Thousands of images over which the learning rates ramp up from near zero; 0 = none."""
    reset: bool = True
    """Reset Adam's moments when a fade starts and when it ends."""
    ema_factor: float = 0.999
    """Decay of the moving average of G per step (the paper's); used if ema_kimg is None."""
    ema_kimg: float | None = None
    """Half-life of the moving average in thousands of images, whatever the minibatch."""
    ema_kimg_end: float | None = None
    """Half-life at the end (schedule.anneal); None = constant."""
    ema_rampup: float = 0.0
    """Cap on the half-life as a fraction of the images shown so far, so that early networks are soon forgotten; 0 = no
    cap."""

    def __post_init__(self) -> None:
        rates = (*self.g_lr.values(), *self.d_lr.values(), self.lr_end)
        require(min(rates) >= 0, "learning rates cannot be negative")
        betas = (self.beta1, self.beta2, self.beta2_end or 0.0)
        require(0 <= min(betas) <= max(betas) < 1, "optim.beta1, beta2 and beta2_end must be in [0, 1)")
        require(self.eps > 0, "optim.eps must be above 0")
        require(self.rampup_kimg >= 0, "optim.rampup_kimg cannot be negative")
        require(0 <= self.ema_factor < 1, "optim.ema_factor must be in [0, 1)")
        require(0 <= self.ema_rampup <= 1, "optim.ema_rampup must be in [0, 1]")
        require(min(self.ema_kimg or 0, self.ema_kimg_end or 0) >= 0, "optim.ema_kimg and its end cannot be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleConfig:
    """How the networks grow, in thousands of real images shown (kimg)."""

    growing: bool = True
    """false: train at the full resolution from the start."""
    initial_resolution: int = 4
    """Side of the first stage's images."""
    training_kimg: PerResolution = per(800)
    """How long each stage trains after its fade-in."""
    transition_kimg: PerResolution = per(800)
    """How long each stage fades in; 0 = its layers are switched on at once."""
    total_kimg: float = 19000
    """Length of the run; what remains after the last stage is spent at full resolution. A preset's is extended to
    finish the largest size, unless ``--kimg`` is given."""
    scale: float = 1.0
    """Factor on all these lengths, set by ``--hours``. Below 1, ticks, ramp-up, half-life and augment.kimg shrink
    with them."""
    minibatch: PerResolution = per(16)
    """Minibatch size."""
    minibatch_repeats: int = 4
    """Consecutive minibatches that share resolution, alpha and rates."""
    d_repeats: int = 1
    """Updates of D per update of G (n_critic)."""
    anneal: Literal["run", "stage"] = "run"
    """Span over which values with an end follow half a cosine: the run, or each stage separately."""
    tick_kimg: PerResolution = per(160, {4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 20, 1024: 10})
    """Thousands of images between two ticks."""

    def __post_init__(self) -> None:
        require(
            geometry.is_size(self.initial_resolution),
            f"schedule.initial_resolution must be a power of two, at least 4, not {self.initial_resolution}",
        )
        lengths = self.training_kimg.values() + self.transition_kimg.values()
        require(min(lengths) >= 0, "schedule.training_kimg and transition_kimg cannot be negative")
        require(max(lengths) <= LONGEST_KIMG, f"a stage cannot last longer than {LONGEST_KIMG:,} kimg")
        require(
            0.001 <= self.total_kimg <= LONGEST_KIMG,
            f"schedule.total_kimg must be between 0.001 and {LONGEST_KIMG:,}, not {self.total_kimg:g}",
        )
        require(
            0 < self.scale <= LARGEST_SCALE,
            f"schedule.scale must be above 0 and at most {LARGEST_SCALE:,}, not {self.scale:g}",
        )
        batches = self.minibatch.values()
        require(
            all(1 <= b <= LARGEST_MINIBATCH and b == int(b) for b in batches),
            f"schedule.minibatch must be whole numbers from 1 to {LARGEST_MINIBATCH:,}",
        )
        require(min(self.minibatch_repeats, self.d_repeats) >= 1, "schedule.*_repeats must be at least 1")
        ticks = self.tick_kimg.values()
        require(
            0 < min(ticks) <= max(ticks) <= LONGEST_KIMG,
            f"schedule.tick_kimg must be above 0 and at most {LONGEST_KIMG:,}",
        )

    @property
    def shortened(self) -> float:
        """Factor on lengths that shrink with a shorter run but do not grow with a longer one."""
        return min(1.0, self.scale)
