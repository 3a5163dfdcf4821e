"""The augmentation of everything D sees, as part of a run's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from growgan.core import geometry
from growgan.core.errors import require

CHANGES = ("colour", "translation", "cutout")
"""The augmentations that `AugmentConfig.policy` may name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """Differentiable augmentation of everything D sees, reals and fakes alike (docs/recipes.md)."""

    policy: str = "none"
    """Augmentations: any of colour, translation and cutout, separated by commas; or none."""
    from_resolution: int = 32
    """Side of the smallest images that are augmented."""
    strength: Literal["fixed", "adaptive"] = "fixed"
    """fixed: constant p. adaptive: p rises while D is right about too many reals (logistic, relativistic)."""
    p: float | None = None
    """Probability of each augmentation for each image; None = 1. Adaptive: its initial value; None = 0."""
    p_end: float | None = None
    """Fixed: p at the end (schedule.anneal); None = constant."""
    p_max: float = 0.8
    """Adaptive: largest p; above it, G begins to generate augmented images."""
    target: float = 0.6
    """Adaptive: target of the mean sign of D's scores of reals."""
    kimg: float = 500.0
    """Adaptive: thousands of images in which p can move from 0 to 1."""
    interval: int = 4
    """Adaptive: minibatches between two adjustments of p."""

    def __post_init__(self) -> None:
        for name in self.changes:
            require(name in CHANGES, f"unknown augmentation {name!r}; choose from: {', '.join(CHANGES)}, or none")
        require(
            geometry.is_size(self.from_resolution),
            f"augment.from_resolution must be a power of two, at least 4, not {self.from_resolution}",
        )
        ps = (self.start, self.start if self.p_end is None else self.p_end, self.p_max)
        require(0 <= min(ps) <= max(ps) <= 1, "augment.p, p_end and p_max must be between 0 and 1")
        require(-1 < self.target < 1, f"augment.target must be between -1 and 1, not {self.target:g}")
        require(self.kimg > 0, f"augment.kimg must be above 0, not {self.kimg:g}")
        require(self.interval >= 1, f"augment.interval must be at least 1, not {self.interval}")

    @property
    def changes(self) -> tuple[str, ...]:
        """The augmentations that the policy names."""
        return () if self.policy.strip() in ("", "none") else tuple(part.strip() for part in self.policy.split(","))

    @property
    def adaptive(self) -> bool:
        """Whether p adapts to D."""
        return self.strength == "adaptive" and bool(self.changes)

    @property
    def start(self) -> float:
        """Initial p."""
        return self.p if self.p is not None else float(self.strength == "fixed")
