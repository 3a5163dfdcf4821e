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
    """A finished dataset, or any folder or zip of pictures; None = as before, when a run is resumed."""
    out: Path
    """The run folder."""
    start: str | None = None
    """A trained pair of networks to start from, as `growgan.load` takes it; None = from scratch, or as before."""
    preset: str | None = None
    """``BASE[,modifier...]``; None = the default for the machine, or for a start from trained networks."""
    overrides: Sequence[Override] = field(default_factory=tuple)
    """Fields that were set, with their values as text."""
    hours: float | None = None
    """How long the run should last on this machine; None = as the schedule says, or as before."""
    say: Callable[[str], None] = tell
    """Receives lines for the user."""

    def __post_init__(self) -> None:
        for name in ("data", "out"):  # callers in Python may pass text
            if isinstance(text := getattr(self, name), str):
                object.__setattr__(self, name, Path(text))
        object.__setattr__(self, "overrides", tuple((path, str(value)) for path, value in self.overrides))
        require(self.hours is None or self.hours > 0, f"--hours must be above 0, not {self.hours}")

    def names(self, path: str) -> bool:
        """Whether the field was set."""
        return any(name == path for name, _ in self.overrides)
