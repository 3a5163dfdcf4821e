"""Values that hold values, as files describe them: how large they are if every reference counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

LONGEST = 60
"""Characters of a text that is quoted in a message."""


def list_parts(value: Any) -> Iterable[Any]:
    """What a list, tuple or dictionary holds; nothing for anything else."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def unfold(root: Any, parts: Callable[[Any], Iterable[Any]] = list_parts) -> int:
    """Return how many values there are if each is counted as often as it is referred to.

    A small file can refer to the same list twice from a list that is itself referred to twice, and so on: printing,
    hashing or copying that takes time and memory without end. Counting it takes as long as the file is. ``parts``: what
    a value holds. ValueError for a value that holds itself.
    """
    counts: dict[int, int] = {}
    pending = [(root, False)]
    while pending:
        value, is_counted = pending.pop()
        if is_counted:
            counts[id(value)] = 1 + sum(counts[id(part)] for part in parts(value))
        elif id(value) not in counts:
            counts[id(value)] = 0
            pending += [(value, True), *((part, False) for part in parts(value))]
        elif not counts[id(value)]:
            raise ValueError("it holds a value that holds itself")
    return counts[id(root)]


def show(value: Any) -> str:
    """Return a value for a message: short texts and numbers as they are, of anything else its type."""
    if value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST):
        return repr(value)
    return f"{value[:LONGEST]!r}..." if isinstance(value, str) else f"a {type(value).__name__}"
