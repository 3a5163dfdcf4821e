"""Requests from the browser: JSON, checked field by field, as plans that the service carries out. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from growgan.core.errors import ConfigError
from growgan.editing.moves import FURTHEST, can_name, is_amount, written
from growgan.sampling.films import CODECS, STILLS

T = TypeVar("T")

LONGEST = 65_536
"""Longest request, in characters."""
MOST_KEYS = 500
"""Most pictures in one plan."""
MOST_FRAMES = 10_000
"""Most frames in a film, or in a walk viewed in the browser."""
MOST_MOVES = 64
"""Most directions per picture."""
LONGEST_NAME = 60
"""Longest name of a direction, in characters."""


@dataclass(frozen=True)
class Look:
    """How all pictures of a plan are made."""

    model: str
    label: int | None
    """A class, or a single attribute; None = each seed's own."""
    truncation: float


@dataclass(frozen=True)
class Key:
    """A picture: a seed or a projected photograph, and how far it is moved along which directions."""

    number: int
    photo: bool = False
    moves: tuple[tuple[str, float], ...] = ()

    def keys_used(self) -> tuple[Key, ...]:
        """Itself."""
        return (self,)

    def told(self) -> dict[str, str]:
        """What a file records about it, as files of `growgan generate` and `edit` do."""
        which = {"photo" if self.photo else "seed": str(self.number)}
        return which | ({"move": written(self.moves)} if self.moves else {})

    def __str__(self) -> str:
        """In words: ``seed 3``, ``photo 0 moved 2:0.5``."""
        moved = f" moved {written(self.moves)}" if self.moves else ""
        return f"{'photo' if self.photo else 'seed'} {self.number}{moved}"


@dataclass(frozen=True)
class Random:
    """A random walk, as `growgan video --seed`."""

    seed: int
    smoothing: float
    """Seconds of smoothing."""

    def keys_used(self) -> tuple[Key, ...]:
        """None."""
        return ()

    def __str__(self) -> str:
        """In words."""
        return f"random from seed {self.seed}, smoothing {self.smoothing:g} s"


@dataclass(frozen=True)
class There:
    """From a seed or photograph to the end of its moves and back, as `growgan edit --out FILM`."""

    key: Key

    def keys_used(self) -> tuple[Key, ...]:
        """The only one."""
        return (self.key,)

    def __str__(self) -> str:
        """In words."""
        return f"{self.key}, and back"


@dataclass(frozen=True)
class Through:
    """From picture to picture and back to the first, as `growgan video --seeds`."""

    keys: tuple[Key, ...]

    def keys_used(self) -> tuple[Key, ...]:
        """All of them."""
        return self.keys

    def __str__(self) -> str:
        """In words."""
        return ", ".join(map(str, self.keys))


Way = Random | There | Through


@dataclass(frozen=True)
class Sheet:
    """Pictures side by side in one file."""

    look: Look
    keys: tuple[Key, ...]
    columns: int

    def keys_used(self) -> tuple[Key, ...]:
        """All of them."""
        return self.keys

    def told(self) -> dict[str, str]:
        """What its file records about it."""
        return {"pictures": ", ".join(map(str, self.keys))}


@dataclass(frozen=True)
class Film:
    """A walk of one picture, as a file."""

    look: Look
    way: Way
    seconds: float
    fps: float
    suffix: str
    """The file's format, with its dot."""
    size: int | None
    """Pixels per side of a picture; None = its own, but at least 64."""

    def keys_used(self) -> tuple[Key, ...]:
        """Those of its path."""
        return self.way.keys_used()

    def told(self) -> dict[str, str]:
        """What its file records about it."""
        return {"way": str(self.way), "fps": f"{self.fps:g}"}


@dataclass(frozen=True)
class Frame:
    """One frame of a walk of one picture."""

    way: Way
    frames: int
    fps: float
    at: int

    def keys_used(self) -> tuple[Key, ...]:
        """Those of its path."""
        return self.way.keys_used()

    def told(self) -> dict[str, str]:
        """What its file records about it."""
        return {"way": str(self.way), "frame": f"{self.at} of {self.frames}"}


@dataclass(frozen=True)
class Said:
    """A person's labels of some seeds, to which a direction is fitted."""

    model: str
    name: str
    labels: dict[int, float]


class Fields:
    """The values of a JSON object, each taken once; `end` refuses any that were not taken."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, dict):
            raise ConfigError(f"{where} should be a JSON object")
        self.values = dict(values)
        self.where = where

    def take(self, name: str, kind: type[T] | tuple[type[T], ...], what: str, default: T | None = None) -> T:
        """The value of a name, which must be of a kind. Raises `ConfigError`."""
        value = self.values.pop(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{name} of {self.where} should be {what}")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        what = f"a whole number from {low} to {high}"
        value = self.take(name, int, what, default)
        if not low <= value <= high:
            raise ConfigError(f"{name} of {self.where} should be {what}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`."""
        what = f"a number from {low:g} to {high:g}"
        value: float = self.take(name, (int, float), what, default)
        if not low <= value <= high:  # refuses NaN as well
            raise ConfigError(f"{name} of {self.where} should be {what}")
        return float(value)

    def text(self, name: str) -> str | None:
        """A text that is not empty, or None."""
        if self.values.get(name) is None:
            self.values.pop(name, None)
            return None
        return self.take(name, str, "text") or None

    def end(self) -> None:
        """Raise `ConfigError` if a field is left."""
        if left := sorted(map(str, self.values)):
            raise ConfigError(f"{self.where} has no {left[0][:40]!r}")


def parse(text: str | bytes, read: Callable[[Fields], T]) -> T:
    """The result of `read` for a request. Raises `ConfigError` if the request is invalid."""
    try:
        if len(text) > LONGEST:
            raise ValueError("it is too long")
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the request is not JSON: {error}") from None
    fields = Fields(values, "the request")
    plan = read(fields)
    fields.end()
    return plan


def sheet(fields: Fields) -> Sheet:
    """Read a `Sheet`."""
    keys = _keys(fields, 1)
    return Sheet(_look(fields), keys, fields.whole("columns", 1, MOST_KEYS, min(8, len(keys))))


def film(fields: Fields) -> Film:
    """Read a `Film`."""
    look, way, suffix = _look(fields), _way(fields), fields.text("suffix") or ".mp4"
    seconds, fps = fields.number("seconds", 0.05, 3600, 8), fields.number("fps", 1, 240, 30)
    if suffix not in (*CODECS, *STILLS):  # it becomes part of a file name
        raise ConfigError(f"suffix of the request should be one of {', '.join((*CODECS, *STILLS))}")
    if seconds * fps > MOST_FRAMES:
        raise ConfigError(f"a film of the studio has at most {MOST_FRAMES:,} frames; growgan video makes longer ones")
    return Film(look, way, seconds, fps, suffix, fields.whole("size", 0, 16_383, 0) or None)


def said(fields: Fields) -> Said:
    """Read a `Said`."""
    model, name = fields.text("model") or "", fields.take("name", str, "text").strip()
    labels = Fields(fields.take("labels", dict, "an object of seeds and labels"), "labels")
    if not can_name(name) or len(name) > LONGEST_NAME:
        raise ConfigError(f"{name[:LONGEST_NAME]!r} cannot be the name of a direction: no commas, no colons")
    seeds = [seed for seed in labels.values if seed.isascii() and seed.isdecimal() and len(seed) <= 10]
    values = {int(seed): labels.number(seed, -1e6, 1e6) for seed in seeds}
    labels.end()
    if len(values) < len(seeds) or max(values, default=0) >= 2**32:
        raise ConfigError(f"labels should be for seeds, each once, below {2**32}")
    return Said(model, name, values)


def picture(fields: Fields) -> tuple[Look, Key | Frame]:
    """Read one picture: a `Key`, or a `Frame` of a walk."""
    look = _look(fields)
    if "key" in fields.values:
        return look, _key(fields.values.pop("key"))
    frames = fields.whole("frames", 1, MOST_FRAMES)
    fps, at = fields.number("fps", 1, 240, 30), fields.whole("at", 0, frames - 1, 0)
    return look, Frame(_way(fields), frames, fps, at)


def _look(fields: Fields) -> Look:
    seeds_own = fields.values.get("label") is None
    label = fields.values.pop("label", None) if seeds_own else fields.whole("label", 0, 2**31)
    return Look(fields.text("model") or "", label, fields.number("truncation", 0, 2, 1))


def _way(fields: Fields) -> Way:
    inner = Fields(fields.take("way", dict, "an object"), "way")
    way: Way
    if "keys" in inner.values:
        way = Through(_keys(inner, 2))
    elif "there" in inner.values:
        way = There(_key(inner.values.pop("there")))
    else:
        way = Random(inner.whole("seed", 0, 2**32 - 1, 0), inner.number("smoothing", 0, 60, 1))
    inner.end()
    return way


def _keys(fields: Fields, least: int) -> tuple[Key, ...]:
    keys = fields.take("keys", list, "a list of pictures")
    if not least <= len(keys) <= MOST_KEYS:
        raise ConfigError(f"keys of {fields.where} should be {least} to {MOST_KEYS} pictures, not {len(keys)}")
    return tuple(map(_key, keys))


def _key(values: Any) -> Key:
    fields = Fields(values, "a picture")
    photo = "photo" in fields.values
    number = fields.whole("photo" if photo else "seed", 0, 2**32 - 1)
    moves = fields.take("moves", dict, "an object of directions and how far", {})
    fields.end()
    if len(moves) > MOST_MOVES:
        raise ConfigError(f"a picture can be moved along at most {MOST_MOVES} directions")
    for amount in moves.values():
        counts = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not counts or not is_amount(amount):
            raise ConfigError(f"a move should be a number from -{FURTHEST:g} to {FURTHEST:g}")
    return Key(number, photo, tuple((str(name), float(amount)) for name, amount in moves.items() if amount))
