"""Which algorithm computes a product of a given shape: measured, not guessed, and fixed once chosen.

The fastest depends on shape, pass, type, threads and processor. A `Plan` is consulted before every convolution. While
it `measures`, it times the candidates on the actual operands and keeps the fastest; otherwise it answers with the
stored choice, or with the first candidate if there is none, so that chance never decides what a plan lacks.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from growgan.core.cache import cache_dir
from growgan.core.errors import RunError
from growgan.core.files import write_text

T = TypeVar("T")

WORTH = 3e7
"""Operations below which a product is not worth measuring."""
REPEATS = 3
CLEARLY = 1.05
"""Factor by which a candidate must beat the first one: less is noise, and not worth another kernel."""
HOPELESS = 1.5
"""A candidate that is slower than the best by this factor is not tried again."""


class Plan:
    """Choices by key, such as ``"forward 16x512x8x8 512 float32"``: the name of an algorithm."""

    def __init__(self, choices: Mapping[str, str] | None = None) -> None:
        self.choices = dict(choices or {})
        self.measures = False
        """Whether missing choices are being measured."""
        self._known: Mapping[str, str] = {}

    @contextmanager
    def measuring(self, known: Mapping[str, str] | None = None) -> Iterator[None]:
        """While entered, missing choices are taken from `known`, or else measured."""
        self.measures, self._known = True, known or {}
        try:
            yield
        finally:
            self.measures, self._known = False, {}

    def choose(self, key: str, work: float, candidates: Mapping[str, T], run: Callable[[T], object]) -> T:
        """The candidate for a product of `work` operations. run: computes the product with a candidate."""
        name = self.choices.get(key)
        if name is None and self.measures and len(candidates) > 1 and work >= WORTH:
            known = self._known.get(key, "")
            name = self.choices[key] = known if known in candidates else fastest(candidates, run)
        if name is None or name not in candidates:
            return next(iter(candidates.values()))
        return candidates[name]


def fastest(candidates: Mapping[str, T], run: Callable[[T], object]) -> str:
    """Name of the candidate with which `run` is fastest, after one warm-up each."""
    best = dict.fromkeys(candidates, float("inf"))
    for candidate in candidates.values():
        run(candidate)
    # In alternation, so that other load on the machine affects all of them.
    for _ in range(REPEATS):
        for name, candidate in candidates.items():
            if float("inf") > best[name] > HOPELESS * min(best.values()):
                continue
            began = time.perf_counter()
            run(candidate)
            best[name] = min(best[name], time.perf_counter() - began)
    first = next(iter(candidates))
    winner = min(best, key=lambda name: best[name])
    return winner if best[winner] * CLEARLY < best[first] else first


UNMEASURED = Plan()
"""An empty plan: always the first candidate."""


def cached_plan(machine: str) -> Path:
    """Where the user's cache keeps the plan for `machine`."""
    return cache_dir() / "plans" / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"


def read_plan(path: Path) -> tuple[str, dict[str, str]]:
    """The machine that a plan was measured on, and its choices; empty if the file is missing or damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return str(stored["machine"]), {str(key): str(name) for key, name in stored["choices"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}


def write_plan(path: Path, machine: str, choices: Mapping[str, str]) -> None:
    """Write a plan atomically, synced to disk. Raises `RunError`."""
    write_text(path, json.dumps({"machine": machine, "choices": dict(sorted(choices.items()))}, indent=1) + "\n")


def add_to_cache(machine: str, choices: Mapping[str, str]) -> None:
    """Add choices to the cache without replacing any. A cache that cannot be written is ignored."""
    path = cached_plan(machine)
    of, known = read_plan(path)
    try:
        write_plan(path, machine, {**choices, **(known if of == machine else {})})
    except RunError:
        return
