"""Nested values, as read from files: how large they are if every reference is expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

LONGEST = 60
"""Maximum length of a text quoted in a message."""


def list_parts(value: Any) -> Iterable[Any]:
    """The elements of a list, tuple or dictionary; nothing for anything else."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def unfold(root: Any, parts: Callable[[Any], Iterable[Any]] = list_parts) -> int:
    """The number of values under `root`, itself included, if each is counted as often as it is referenced.

    A small file can reference the same list twice from a list that is itself referenced twice, and so on: printing,
    hashing or copying that takes practically endless time and memory. Counting takes time proportional to the file.

    parts: the values that a value contains. Raises `ValueError` if a value contains itself.
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
    """A value as shown in a message: short texts and numbers as they are, others by their type."""
    if value is None or isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST):
        return repr(value)
    return f"{value[:LONGEST]!r}..." if isinstance(value, str) else f"a {type(value).__name__}"
