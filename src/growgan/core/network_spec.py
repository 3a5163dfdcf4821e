"""The architecture of the networks: written into every model file, and all that G and D are built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from growgan.core import geometry
from growgan.core.errors import require
from growgan.core.fields import PerResolution


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How an imported network departs from the paper's (docs/importing.md); all off in growgan's own."""

    widths: PerResolution | None = None
    """Feature maps of each stage, where no rule gives them; None = the spec's rule."""
    hidden: int | None = None
    """Outputs of D's first dense layer; None = the spec's rule for a stage of side 2."""
    slope: float = 0.2
    """Slope of the leaky ReLU below zero."""
    norm_eps: float = 1e-8
    """Epsilon that keeps the pixel norm from dividing by zero."""
    norm_eps_outside: bool = False
    """Add `norm_eps` to the root, not under it."""
    first_norm: bool = True
    """Pixel norm after G's first layer too."""
    first_bias: Literal["map", "pixel"] = "map"
    """One bias for each feature map of G's first layer, or one for each of its 4x4 pixels."""
    labels_normed: bool = True
    """Latents and labels are normalised together; False: only the latents, with the labels appended unchanged."""
    tanh: bool = False
    """Apply tanh to toRGB's output."""
    stddev_groups: Literal["strided", "contiguous"] = "strided"
    """Minibatch stddev compares every M-th image, or consecutive ones (all of them if there is a remainder)."""
    stddev_unbiased: bool = False
    """Minibatch stddev divides by the group size minus one; for a group of one it is 0."""
    d_last_conv: bool = True
    """D has its 3x3 convolution at 4x4."""
    d_fade_from: int = 8
    """Side of the lowest stage in which D fades; below it, the newest layers have full weight."""

    def __post_init__(self) -> None:
        widths = self.widths.values() if self.widths else ()
        require(
            all(1 <= w <= 2**40 and w == int(w) for w in (*widths, self.hidden or 1)),
            "network.variant.widths and hidden must be whole numbers of at least 1",
        )
        require(0 <= self.slope <= 1, f"network.variant.slope must be between 0 and 1, not {self.slope}")
        require(0 <= self.norm_eps <= 1, f"network.variant.norm_eps must be between 0 and 1, not {self.norm_eps}")
        require(geometry.is_size(self.d_fade_from), "network.variant.d_fade_from must be a power of two, at least 4")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSpec:
    """The architecture of G and D, which mirror each other (paper, table 2)."""

    resolution: int = 128
    """Side of the finished images in pixels: a power of two, 4 or more."""
    channels: int = 3
    """Channels of an image: 1 grey, 3 RGB, 4 RGBA; any number works."""
    num_labels: int = 0
    """Classes or attributes K of a conditional model (AC-GAN); 0 = unconditional."""
    multi_label: bool = False
    """false: each image has one of K classes. true: each image has K independent attributes in [0, 1]."""
    latent_size: int | None = None
    """Length L of z; None = min(fmap_base, fmap_max)."""
    fmap_base: int = 8192
    """Feature maps of the stage with side s, before the cap: fmap_base / (s / 2) ** fmap_decay."""
    fmap_decay: float = 1.0
    """How fast the number of feature maps falls from stage to stage: 1 halves it."""
    fmap_max: int = 512
    """Cap on the number of feature maps."""
    normalize_latents: bool = True
    """Project z (with its labels) onto a hypersphere before the first layer."""
    pixelnorm: bool = True
    """Pixelwise feature normalisation in G (paper, section 4.2)."""
    wscale: bool = True
    """Equalised learning rate: weights N(0, 1), scaled at run time (paper, section 4.1)."""
    leaky_relu: bool = True
    """Leaky ReLU 0.2 in G; false = ReLU. D is always leaky."""
    stddev_group: int | None = 4
    """Group size of minibatch stddev (paper, section 3); None = the whole minibatch, 0 or 1 = off."""
    d_down: Literal["act_pool", "pool_act"] = "act_pool"
    """How D downsamples: activate, then pool (the paper), or one strided convolution, then activate."""
    variant: Variant = Variant()
    """How the networks depart from the paper's; only imported ones do."""

    def __post_init__(self) -> None:
        require(
            geometry.is_size(self.resolution),
            f"network.resolution must be a power of two, at least 4, not {self.resolution}",
        )
        require(self.channels >= 1, f"network.channels must be at least 1, not {self.channels}")
        require(self.num_labels >= 0, f"network.num_labels cannot be {self.num_labels}")
        require(1 <= self.fmap_base <= 2**40, "network.fmap_base must be at least 1 and below a trillion")
        require(1 <= self.fmap_max <= 2**40, "network.fmap_max must be at least 1 and below a trillion")
        require(0 <= self.fmap_decay <= 8, f"network.fmap_decay must be between 0 and 8, not {self.fmap_decay}")
        require(
            self.latent_size is None or 1 <= self.latent_size <= 2**20,
            "network.latent_size must be at least 1 and at most a million",
        )
        require(self.stddev_group is None or self.stddev_group >= 0, "network.stddev_group cannot be negative")

    def width(self, resolution: int) -> int:
        """Feature maps of the stage of `resolution`; at 2, the outputs of D's first dense layer."""
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
