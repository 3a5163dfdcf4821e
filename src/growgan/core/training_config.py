"""How the networks are trained: the loss, Adam and the average, and the schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from growgan.core import geometry
from growgan.core.errors import require
from growgan.core.fields import PerResolution, per

LONGEST_KIMG = 10_000_000
"""Thousands of images: ten billion, a hundred times what any GAN was trained on."""
LARGEST_SCALE = 1_000_000
"""Times that a schedule may be stretched, which is as little meant."""
LARGEST_MINIBATCH = 65_536
SIGNED = ("logistic", "relativistic")
"""Losses under which D's scores, or what a real has more than a fake, are above 0 where D is right."""


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
        require(self.gp_target > 0, f"loss.gp_target must be above 0, not {self.gp_target}")
        weights = (self.gp_weight, self.drift, self.lsgan_noise, self.label_weight, self.gamma_end)
        gammas = self.r1_gamma.values() + (self.r2_gamma.values() if self.r2_gamma else ())
        require(min(*weights, *gammas) >= 0, "loss weights cannot be negative")
        require(self.r1_interval >= 1, f"loss.r1_interval must be at least 1, not {self.r1_interval}")

    def every(self, resolution: int) -> int:
        """Updates of D for each that has penalties which the others lack: 1 where none is lazy."""
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
        """Factor on lengths that a shorter run shortens and a longer one leaves as they are."""
        return min(1.0, self.scale)
