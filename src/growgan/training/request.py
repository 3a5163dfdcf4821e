"""What a user asks of a training job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from growgan.core.errors import require
from growgan.core.progress import tell
from growgan.training.run import Override


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    data: Path | None
    """A finished set, or any folder or zip of pictures; None = as before, when a run is resumed."""
    out: Path
    """The run folder."""
    start: str | None = None
    """A trained pair of networks to go on from, as `growgan.load` takes it; None = from nothing, or as before."""
    preset: str | None = None
    """``BASE[,modifier...]``; None = what suits the machine, or a start from trained networks."""
    overrides: Sequence[Override] = field(default_factory=tuple)
    """Fields that were named, with their values as text."""
    hours: float | None = None
    """How long the run is to last here; None = as the schedule has it, or as before."""
    say: Callable[[str], None] = tell
    """Gets lines for the user."""

    def __post_init__(self) -> None:
        for name in ("data", "out"):  # from Python as text, perhaps
            if isinstance(text := getattr(self, name), str):
                object.__setattr__(self, name, Path(text))
        object.__setattr__(self, "overrides", tuple((path, str(value)) for path, value in self.overrides))
        require(self.hours is None or self.hours > 0, f"--hours must be above 0, not {self.hours}")

    def names(self, path: str) -> bool:
        """Whether the field was named."""
        return any(name == path for name, _ in self.overrides)
