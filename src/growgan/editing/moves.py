"""How moves along directions are written: ``smile:0.4,1:-0.3``. Needs nothing."""

from __future__ import annotations

from collections.abc import Iterable

from growgan.core.errors import ConfigError

FURTHEST = 10.0
"""Amount by which a latent is moved at most, either way; 1 is as far as a latent is long."""


def can_name(name: str) -> bool:
    """Whether a direction may be called so: what can be told from the amount and from its neighbours."""
    return bool(name) and name.isprintable() and "," not in name and ":" not in name


def parse(text: str) -> dict[str, float]:
    """Direction -> amount; what is named twice adds up. Raises `ConfigError`."""
    moves: dict[str, float] = {}
    for part in text.split(","):
        name, _, amount = map(str.strip, part.rpartition(":"))
        try:
            value = float(amount)
        except ValueError:
            value = float("nan")
        if not name or not is_amount(value):
            raise ConfigError(
                f"--move takes directions and amounts from -{FURTHEST:g} to {FURTHEST:g}, e.g. 2:0.5,4:-0.3, "
                f"not {text!r}"
            )
        moves[name] = moves.get(name, 0.0) + value
    return moves


def written(moves: Iterable[tuple[str, float]]) -> str:
    """What `parse` reads."""
    return ",".join(f"{name}:{amount:g}" for name, amount in moves)


def is_amount(value: float) -> bool:
    """Whether it lies within `FURTHEST`; no NaN does."""
    return abs(value) <= FURTHEST
