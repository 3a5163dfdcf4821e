"""The state on which a pickle's instructions work (bytes, stack and memo), and what they may make of a class."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Refused(ValueError):
    """Content that a file must not have, or has damaged; a sentence without the file's name."""


@dataclass(frozen=True)
class Name:
    """Something that a pickle may name, and what calling it returns here; `make` is None if it cannot be called."""

    path: str
    make: Callable[..., Any] | None = None

    def call(self, arguments: Any) -> Any:
        """The result of a call in the pickle."""
        if self.make is None or not isinstance(arguments, tuple):
            raise Refused(f"it calls {self.path}, which is not a function")
        try:
            return self.make(*arguments)
        except TypeError:
            raise Refused(f"it calls {self.path} with {len(arguments)} arguments, which do not fit") from None


@dataclass(eq=False)
class Thing:
    """An object whose class is known by name only: its constructor arguments and its state."""

    path: str
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def build(self, state: Any) -> None:
        """Set the state."""
        self.state = state

    @property
    def attributes(self) -> dict[Any, Any]:
        """The state, if it is the usual dictionary."""
        return self.state if isinstance(self.state, dict) else {}


SPARE = 2**20
"""Length that small files may pass to calls in addition to their own."""


class Mark:
    """A place on the stack."""


@dataclass
class Machine:
    """The state of reading one pickle in `data`, from `position` on."""

    data: memoryview
    find: Callable[[str, str], Name]
    """Resolves a module and a name; raises `Refused`."""
    persistent: Callable[[Any], Any] | None = None
    """Resolves a reference to an object stored outside the pickle."""
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    handed: int = 0
    """Total length of all arguments passed to calls, which may copy them; memoised values can be passed repeatedly."""

    def call(self, function: Any, arguments: Any) -> Any:
        """The result of a call. Memory use stays in proportion to the file."""
        if not isinstance(function, Name):
            raise Refused("it calls something that is not a function")
        self.handed += _length(arguments) + sum(map(_length, arguments if isinstance(arguments, tuple) else ()))
        if self.handed > 4 * len(self.data) + SPARE:
            raise Refused("it passes the same values to calls over and over, which no genuine file does")
        return function.call(arguments)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.data) - self.position:
            raise Refused(f"it is truncated at byte {len(self.data)}")
        self.position += count
        return self.data[self.position - count : self.position].tobytes()

    def number(self, form: str) -> Any:
        """The next number, in a `struct` format."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """The next line, without its newline."""
        start = self.position
        step = 4096
        while start < len(self.data):
            part = self.data[start : start + step].tobytes()
            found = part.find(b"\n")
            if found >= 0:
                whole = self.take(start + found - self.position)
                self.take(1)
                return whole
            start += step
            step *= 2
        raise Refused("it ends within a line of text")

    def pop(self) -> Any:
        """The topmost value."""
        if not self.stack or isinstance(self.stack[-1], Mark):
            raise Refused("it pops a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        """The topmost value, left in place."""
        value = self.pop()
        self.stack.append(value)
        return value

    def push(self, value: Any) -> None:
        """Push a value."""
        self.stack.append(value)

    def to_mark(self) -> list[Any]:
        """Remove and return everything above the last mark, and remove the mark."""
        for i in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[i], Mark):
                values = self.stack[i + 1 :]
                del self.stack[i:]
                return values
        raise Refused("it pops values to a missing mark")


def _length(value: Any) -> int:
    """Length of a text, of bytes or of a container."""
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0
