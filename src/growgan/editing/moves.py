"""The notation of moves along directions: ``smile:0.4,1:-0.3``. Has no dependencies."""

from __future__ import annotations

from collections.abc import Iterable

from growgan.core.errors import ConfigError

FURTHEST = 10.0
"""Largest amount by which a latent is moved, in either direction; 1 equals a latent's length."""


def can_name(name: str) -> bool:
    """Whether a direction may have this name, so that it is not confused with an amount or with its neighbours."""
    return bool(name) and name.isprintable() and "," not in name and ":" not in name


def parse(text: str) -> dict[str, float]:
    """Direction -> amount; repeated directions add up. Raises `ConfigError`."""
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
    """Moves in the notation that `parse` reads."""
    return ",".join(f"{name}:{amount:g}" for name, amount in moves)


def is_amount(value: float) -> bool:
    """Whether it lies within `FURTHEST`; NaN does not."""
    return abs(value) <= FURTHEST
